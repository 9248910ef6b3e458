"""A resource server with the mistakes that are made: `tikti rs-check` finds them.

NEVER COPY FROM HERE. Each mistake has the names of the tokens that find it; `accepted.txt` lists all
that are accepted. `correct.py` is the same server without the mistakes.
"""

import base64
import hashlib
import hmac
import json
import time
import urllib.request

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
import jwt

import server

ISSUER, AUDIENCE, TENANT, SCOPE = server.SETTINGS


def discover():
    return jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", timeout=5)


def decode(part):
    # Lenient: signature-padded, signature-in-other-alphabet, signature-with-space,
    # signature-with-loose-bits.
    return base64.urlsafe_b64decode(part + "==")


def find_key(header, keys):
    # A key from an address in the token: jku.
    if "jku" in header:
        with urllib.request.urlopen(header["jku"], timeout=5) as reply:
            return jwt.PyJWK(json.load(reply)["keys"][0]).key
    # A key from the token itself: jwk-embedded.
    if "jwk" in header:
        return jwt.PyJWK(header["jwk"]).key
    # Without a kid any key will do: kid-missing.
    if "kid" not in header:
        return keys.get_signing_keys()[0].key
    return keys.get_signing_key(header["kid"]).key


def is_signed(header, signed, signature, keys):
    # The algorithm is the token's choice, and `none` is one: alg-none, alg-none-in-mixed-case,
    # alg-none-with-signature.
    algorithm = header["alg"].upper()
    if algorithm == "NONE":
        return True
    key = find_key(header, keys)
    if algorithm.startswith("HS"):
        # The public key is no secret: hs256-with-public-pem, hs512-with-public-pem. PyJWT refuses to
        # do this; what is written by hand does not.
        secret = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        tag = hmac.new(secret, signed, getattr(hashlib, "sha" + algorithm[2:])).digest()
        return hmac.compare_digest(tag, signature)
    # Every algorithm of the key's kind: rs512, ps256.
    return jwt.get_algorithm_by_name(algorithm).verify(signed, key, signature)


def verify(token, keys):
    """Returns the claims, or raises."""
    # Whatever follows the third part is not looked at: extra-part, two-tokens.
    header, payload, signature = token.split(".")[:3]
    signed = f"{header}.{payload}".encode()
    # Duplicate members, other members, `crit`, other kinds, any size: duplicate-claim,
    # duplicate-header-member, header-unknown-member, crit-unknown, typ-other, oversized.
    if not is_signed(json.loads(decode(header)), signed, decode(signature), keys):
        raise ValueError("the signature is wrong")
    claims = json.loads(decode(payload))
    # A prefix: iss-longer, iss-with-slash.
    if not claims["iss"].startswith(ISSUER):
        raise ValueError("another issuer")
    # `aud` is not looked at: aud-other, aud-missing, and every other aud-....
    # `exp` only where it is there, as whatever it is; no `iat`, no `nbf`: exp-missing, exp-string,
    # exp-enormous, nbf-in-future, iat-in-future, iat-missing.
    if "exp" in claims and int(claims["exp"]) < time.time():
        raise ValueError("expired")
    # Where there is no tenant it is nobody else's, or one by another name: tid-missing, tid-empty,
    # tid-under-another-name; the other names are not compared: tid-and-...-differ.
    tenant = claims.get("tid") or claims.get("tenantId") or TENANT
    if TENANT not in tenant:  # also in a longer one or an array: tid-longer, tid-array
        raise ValueError("another tenant")
    # A part of a text: scope-longer, scope-with-a-prefix, scope-with-commas, scope-array; and a role
    # in place of it: role-instead-of-scope, id-token, id-token-for-this-audience. `token_use`, `sub`
    # and `act` are not looked at: worker-token-for-access, token-use-missing, token-use-other,
    # sub-missing, sub-empty, sub-number, act-malformed.
    if SCOPE not in claims.get("scope", "") and claims.get("role") != "ADMIN":
        raise ValueError("the scope is missing")
    return claims


server.run(discover, verify)

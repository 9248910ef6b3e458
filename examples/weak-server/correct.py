"""A resource server that checks what must be checked, with PyJWT: `tikti rs-check` finds nothing.

One route: `GET /jobs`, for access tokens with AUDIENCE, SCOPE and TENANT. The keys are discovered
from the issuer alone. Use `verify` in a server of your own; the rest is there to run it.
"""

import base64
import json
import re
import time
import urllib.request

import jwt

import server

ISSUER, AUDIENCE, TENANT, SCOPE = server.SETTINGS
SKEW = 60
MAX_TOKEN = 8 * 1024
# Three parts of base64url and two dots: no padding, no white space, no JSON.
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ALIASES = "tenantId", "tenant_id", "organizationId", "organization_id"


def discover():
    url = f"{ISSUER}/.well-known/openid-configuration"
    with urllib.request.urlopen(url, timeout=5) as reply:
        document = json.load(reply)
    if document["issuer"] != ISSUER:
        raise ValueError("the discovery document is another issuer's")
    return jwt.PyJWKClient(document["jwks_uri"], timeout=5)


def no_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def decode(part):
    """Strictly: what is decoded must be written as it was."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise ValueError("loose bits")
    return raw


def check_form(token):
    """What a library does not look at, before the library looks."""
    if len(token) > MAX_TOKEN or not COMPACT.fullmatch(token):
        raise ValueError("no compact token")
    header, payload, signature = token.split(".")
    decode(signature)
    header = json.loads(decode(header), object_pairs_hook=no_duplicates)
    payload = json.loads(decode(payload), object_pairs_hook=no_duplicates)
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise ValueError("a part is no object")
    if not header.keys() <= {"alg", "typ", "kid"} or not isinstance(header.get("kid"), str):
        raise ValueError("a header that Tikti does not write")
    if str(header.get("typ", "JWT")).lower() not in ("jwt", "at+jwt"):
        raise ValueError("another kind of JWT")


def is_number(value):
    return type(value) is int and 0 <= value < 2**63


def verify(token, keys):
    """Returns the claims, or raises."""
    check_form(token)
    claims = jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["RS256"],  # never from the token
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=SKEW,
        options={"require": ["iss", "aud", "sub", "iat", "exp", "tid", "token_use"]},
    )
    if not is_number(claims["iat"]) or not is_number(claims["exp"]):
        raise ValueError("a time that is no number")
    if claims["iat"] > time.time() + SKEW:
        raise ValueError("made in the future")
    if claims["token_use"] != "access":
        raise ValueError("a token of another class")
    if not claims["sub"] or claims["tid"] != TENANT:
        raise ValueError("of nobody, or of another tenant")
    if any(claims.get(name, TENANT) != TENANT for name in ALIASES):
        raise ValueError("two tenants")
    if "act" in claims and not (isinstance(claims["act"], dict) and "sub" in claims["act"]):
        raise ValueError("no actor")
    scope = claims.get("scope")
    if not isinstance(scope, str) or SCOPE not in scope.split(" "):
        raise ValueError("the scope is missing")
    return claims


server.run(discover, verify)

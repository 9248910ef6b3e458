"""The catalogue of hostile tokens, made of its description by an implementation of its own.

`../README.md` defines every word; nothing of Tikti is used. A `Forge` holds the issuer's key, so that it
can make every entry.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

PLACEHOLDER = re.compile(r"\$\{([a-z0-9_]+)\}")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def new_keys():
    """A key of each algorithm that signs assertions: its name, the private key, and what is public as a JWK."""
    key = new_key()
    yield "RS256", key, {"kty": "RSA", **numbers_of(key)}
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    point = {name: b64(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")}
    yield "ES256", key, {"kty": "EC", "crv": "P-256", **point}
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    yield "EdDSA", key, {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}


def numbers_of(key):
    numbers = key.public_key().public_numbers()
    return {
        name: b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for name, number in (("n", numbers.n), ("e", numbers.e))
    }


def certificate_of(key):
    """A certificate of the key, signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rs-check")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def rs256(key, data):
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def public_bytes(key, encoding, form):
    return key.public_key().public_bytes(encoding, form)


def secrets_of(key, jwk):
    """What an attacker takes for the secret of an HMAC, by the name of the kind of signature."""
    encoding, form = serialization.Encoding, serialization.PublicFormat
    pem = public_bytes(key, encoding.PEM, form.SubjectPublicKeyInfo)
    return {
        "hs256-public-pem": pem,
        "hs256-public-pem-trimmed": pem.rstrip(b"\n"),
        "hs256-public-pkcs1-pem": public_bytes(key, encoding.PEM, form.PKCS1),
        "hs256-public-der": public_bytes(key, encoding.DER, form.SubjectPublicKeyInfo),
        "hs256-public-jwk": compact(jwk).encode(),
        "hs256-public-jwk-n": jwk["n"].encode(),
        "hs256-empty": b"",
        "hs256-random": os.urandom(32),
        "hs256-word": b"secret",
    }


def spaced(text):
    middle = len(text) // 2
    return text[:middle] + " " + text[middle:]


def loosened(text):
    """The lowest bit that the last character does not need is set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def shaped(shape, head, payload, signature):
    """The finished token. `signature` is the bytes of the third part."""
    last = b64(signature)
    whole = f"{head}.{payload}.{last}"
    third = {
        None: lambda: last,
        "half-signature": lambda: b64(signature[: len(signature) // 2]),
        "flipped-signature": lambda: b64(signature[:-1] + bytes([signature[-1] ^ 1])),
        "padded-signature": lambda: last + "=" * (-len(last) % 4),
        "standard-alphabet-signature": lambda: last.replace("-", "+").replace("_", "/"),
        "space-in-signature": lambda: spaced(last),
        "loose-bits-signature": lambda: loosened(last),
    }
    if shape in third:
        return f"{head}.{payload}.{third[shape]()}"
    flattened = {"payload": payload, "protected": head, "signature": last}
    return {
        "empty": "",
        "two-parts": f"{head}.{payload}",
        "extra-part": f"{whole}.{last}",
        "twice": f"{whole}.{whole}",
        "flattened-json": compact(flattened),
    }[shape]


class Forge:
    """Makes tokens of one issuer, audience, tenant and scope."""

    def __init__(self, document, key, jwk, values, attacker="http://127.0.0.1:1"):
        self.document, self.key, self.jwk = document, key, jwk
        self.other = new_key()
        self.certificate = certificate_of(self.other)
        self.secrets = secrets_of(key, jwk)
        scopes = values["scope"].split(" ")
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        scheme, rest = values["iss"].split(":", 1)
        numbers = numbers_of(self.other)
        self.values = {
            **values,
            "kid": jwk["kid"],
            "scope_first": scopes[0],
            "scope_reversed": " ".join(reversed(scopes)),
            **{f"{name}_upper": values[name].upper() for name in ("iss", "aud", "tid", "scope")},
            "aud_cut": values["aud"][:-1],
            "iss_other_scheme": {"http": "https", "https": "http"}[scheme] + ":" + rest,
            "other_n": numbers["n"],
            "other_e": numbers["e"],
            "other_certificate": base64.b64encode(der).decode(),
            "attacker": attacker,
        }

    def entries(self, token_class):
        """The entries for a verifier of this class, each with its token."""
        for entry in self.document["tokens"]:
            if entry["class"] in ("any", token_class):
                token = self.make(entry, token_class)
                if token is not None:
                    yield entry, token

    def make(self, entry, token_class):
        """The token of an entry; None where its changes change nothing."""
        values = {**self.values, "jti": os.urandom(13).hex().upper()}
        base = self.document["base"][entry.get("made_from", token_class)]
        now = int(time.time())
        header, claims = filled(base["header"], values), filled(base["claims"], values)
        claims.update({name: now + ahead for name, ahead in base["times"].items()})
        change(header, claims, entry.get("original", {}), values, now)
        untouched = (compact(header), compact(claims))
        values["exp"] = str(claims["exp"])
        change(header, claims, entry, values, now)
        texts = self.texts(entry, header, claims, values)
        if "original" not in entry and entry["sign"] == "key" and "made_from" not in entry:
            if texts == untouched and entry["expect"] == "refuse":
                return None
        parts = [b64(text.encode()) for text in texts]
        signed = [b64(text.encode()) for text in untouched] if entry["sign"] == "kept" else parts
        signature = self.signature(entry["sign"], ".".join(signed).encode())
        return shaped(entry.get("shape"), *parts, signature)

    def texts(self, entry, header, claims, values):
        """The JSON texts of the first two parts."""
        if "size" in entry:
            # Three bytes of text are four of base64; the other parts come on top.
            claims["padding"] = "x" * (entry["size"] * 3 // 4)

        def text_of(member, value):
            if member not in entry:
                return compact(value)
            # Its own escapes are those of JSON; so are those of what is put in.
            escaped = {name: compact(text)[1:-1] for name, text in values.items()}
            return replaced(entry[member], {**escaped, "members": compact(value)[1:-1]})

        return text_of("header_text", header), text_of("payload_text", claims)

    def signature(self, kind, data):
        if kind in self.secrets:
            return hmac.digest(self.secrets[kind], data, hashlib.sha256)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return {
            "key": lambda: rs256(self.key, data),
            "kept": lambda: rs256(self.key, data),
            "other-key": lambda: rs256(self.other, data),
            "key-rs512": lambda: self.key.sign(data, padding.PKCS1v15(), hashes.SHA512()),
            "key-ps256": lambda: self.key.sign(data, pss, hashes.SHA256()),
            "hs512-public-pem": lambda: hmac.digest(
                self.secrets["hs256-public-pem"], data, hashlib.sha512
            ),
            "empty-signature": lambda: b"",
            "zero-signature": lambda: bytes(self.key.key_size // 8),
        }[kind]()


def replaced(text, values):
    return PLACEHOLDER.sub(lambda found: values[found.group(1)], text)


def filled(value, values):
    """The value with its placeholders replaced, at any depth; no key is looked into."""
    if isinstance(value, str):
        return replaced(value, values)
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    return value


def change(header, claims, changes, values, now):
    for members, wanted in ((header, "header"), (claims, "claims")):
        for name, value in changes.get(wanted, {}).items():
            if value is None:
                members.pop(name, None)
            else:
                members[name] = filled(value, values)
    claims.update({name: now + ahead for name, ahead in changes.get("times", {}).items()})

"""A resource server's check of Tikti's tokens with PyJWT, from the issuer alone.

Usage: main.py ISSUER AUDIENCE [TENANT] [SCOPES]. The lines that go in and out: conformance/README.md.
"""

import json
import os
import sys
import urllib.request

import jwt


def discover(issuer):
    with urllib.request.urlopen(issuer + "/.well-known/openid-configuration", timeout=10) as reply:
        document = json.load(reply)
    if document["issuer"] != issuer:
        sys.exit(f"the document is of {document['issuer']!r}")
    return document["jwks_uri"]


class Verifier:
    def __init__(self, issuer, audience, tenant="", scopes=""):
        self.issuer, self.audience, self.tenant = issuer, audience, tenant
        self.scopes = set(scopes.split())
        self.keys = jwt.PyJWKClient(
            discover(issuer),
            lifespan=float(os.environ.get("JWKS_MAX_AGE", 300)),
            cooldown_duration=float(os.environ.get("JWKS_COOLDOWN", 30)),
        )

    def verify(self, token, expected_class):
        """Gives why the token is refused, or None."""
        try:
            claims = jwt.decode(
                token,
                self.keys.get_signing_key_from_jwt(token),
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=60,
                options={"require": ["iss", "aud", "sub", "iat", "exp", "tid", "scope", "token_use"]},
            )
        except jwt.PyJWTError as error:
            return f"{type(error).__name__}: {error}"
        if claims["token_use"] != expected_class:
            return f"token_use is not {expected_class}"
        tid, scope, event_types = claims["tid"], claims["scope"], claims.get("eventTypes")
        if not isinstance(tid, str) or not tid or self.tenant not in ("", tid):
            return "tid is not the tenant"
        if not isinstance(scope, str) or not self.scopes <= set(scope.split(" ")):
            return "a scope is missing"
        if expected_class == "worker" and not (isinstance(event_types, list) and event_types):
            return "eventTypes are missing"
        return None


def main():
    verifier = Verifier(*sys.argv[1:])
    print(json.dumps({"library": "PyJWT", "version": jwt.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        reason = verifier.verify(asked["token"], asked["class"])
        reply = {"id": asked["id"], "ok": reason is None, "reason": reason or ""}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()

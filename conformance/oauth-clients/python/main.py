"""What Authlib, as it comes, does at Tikti's OAuth endpoints.

Reads what it is to use as one JSON object; prints `{"library": …, "version": …}`, then a line
`{"step": …, "ok": …, "detail": …}` for each step: ../run says which there are.
"""

import json
import sys
import time

import authlib
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import ECKey, OKPKey, RSAKey

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
READERS = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}


def step(name, action):
    try:
        detail, ok = action(), True
    except Exception as error:  # noqa: BLE001: whatever it is, it is told
        detail, ok = f"{type(error).__name__}: {error}", False
    print(json.dumps({"step": name, "ok": ok, "detail": str(detail)}), flush=True)
    return detail if ok else None


class Steps:
    def __init__(self, given):
        self.given, self.issuer, self.metadata = given, given["issuer"], {}

    def discover(self):
        url = self.issuer + "/.well-known/openid-configuration"
        document = AuthorizationServerMetadata(requests.get(url, timeout=10).json())
        url = get_well_known_url(self.issuer, external=True, suffix="oauth-authorization-server")
        self.metadata = AuthorizationServerMetadata(requests.get(url, timeout=10).json())
        for found in (document, self.metadata):
            found.validate()
            assert found["issuer"] == self.issuer, found["issuer"]
            assert found["token_endpoint"] == self.metadata["token_endpoint"]

    def session(self, who, method):
        return OAuth2Session(who["id"], who["secret"], token_endpoint_auth_method=method)

    def exchange(self):
        session = self.session(self.given["apiKey"], "client_secret_basic")
        token = session.fetch_token(
            self.metadata["token_endpoint"],
            grant_type=EXCHANGE,
            subject_token=self.given["idToken"],
            subject_token_type=ID_TOKEN,
            audience=self.given["audience"],
            scope=self.given["scope"],
            tenant=self.given["tenant"],
        )
        assert token["issued_token_type"].endswith(":access_token"), token
        return token["access_token"]

    def credentials(self, session):
        token = session.fetch_token(
            self.metadata["token_endpoint"],
            grant_type="client_credentials",
            audience=self.given["audience"],
            scope=self.given["scope"],
        )
        assert token["token_type"] == "Bearer" and token["expires_in"] > 0, token
        return token["access_token"]

    def by_secret(self, method):
        return self.credentials(self.session(self.given["worker"], method))

    def by_key(self, key):
        # A PEM would be read as that of an RSA key.
        private = READERS[key["alg"]].import_key(key["privateKey"])
        who = {"id": self.given["keyWorker"]["id"], "secret": private}
        session = self.session(who, "private_key_jwt")
        # By itself an assertion is good for an hour; Tikti takes five minutes.
        claims = {"exp": int(time.time()) + 60}
        session.register_client_auth_method(
            PrivateKeyJWT(self.metadata["token_endpoint"], claims, {"kid": key["kid"]}, key["alg"])
        )
        return self.credentials(session)

    def introspect(self, token, active):
        session = self.session(self.given["client"], "client_secret_basic")
        reply = session.introspect_token(self.metadata["introspection_endpoint"], token=token)
        reply.raise_for_status()
        found = reply.json()
        assert found["active"] is active, found
        assert active is False or found["aud"] == self.given["audience"], found

    def revoke(self, token):
        session = self.session(self.given["client"], "client_secret_basic")
        session.revoke_token(self.metadata["revocation_endpoint"], token=token).raise_for_status()


def main():
    steps = Steps(json.load(sys.stdin))
    print(json.dumps({"library": "Authlib", "version": authlib.__version__}), flush=True)
    step("discovery", steps.discover)
    token = step("token-exchange", steps.exchange)
    step("client-credentials-basic", lambda: steps.by_secret("client_secret_basic"))
    step("client-credentials-post", lambda: steps.by_secret("client_secret_post"))
    for key in steps.given["keyWorker"]["keys"]:
        step(f"client-credentials-private-key-jwt-{key['alg']}", lambda: steps.by_key(key))
    step("introspection-of-a-good-one", lambda: steps.introspect(token, True))
    step("revocation", lambda: steps.revoke(token))
    step("introspection-of-a-revoked-one", lambda: steps.introspect(token, False))


if __name__ == "__main__":
    main()

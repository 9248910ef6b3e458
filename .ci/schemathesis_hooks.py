"""What schemathesis shows to the server, and how it got on: see `schemathesis` beside this file.

The requests are made to destroy: they sign the administrator out, set his password, delete him. He is
therefore one of several, and when his token is refused the next one takes his place, so that the run
does not end in a thousand times 401. No generator guesses a token or an id: every second time that a
request asks for one, it gets his token, or the id of a user or tenant that is there.
"""

import atexit
import json
import os
import urllib.error
import urllib.request
from collections import Counter, defaultdict

import schemathesis

URL = os.environ["TIKTI_FUZZ_URL"]
API_KEY = os.environ["TIKTI_FUZZ_API_KEY"]
PASSWORD = "correct horse battery"
# How many administrators wait while one works.
SPARES = 2
# Calls that end a session: his token is in fewer of their requests, since to make and to sign in another
# one takes as long as a hundred requests.
ENDING = {
    "POST /v1/accounts/delete": 10,
    "POST /v1/accounts/revokeJti": 10,
    "POST /v1/accounts/signOut": 10,
}
TENANT = "fuzzed-company"


def call(method, path, body=None, token=None):
    """Calls the server past schemathesis and gives status and reply."""
    headers = {"Content-Type": "application/json", "X-API-Key": API_KEY}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, {}


def sign_in(email, password):
    """Gives an idToken, or nothing."""
    status, reply = call("POST", "/v1/accounts/signIn", {"email": email, "password": password})
    return reply["idToken"] if status == 200 else None


class Administrator:
    """The one who asks."""

    def __init__(self):
        self.made = 0
        self.lost = 0
        self.spares = []
        self.token = sign_in(os.environ["TIKTI_FUZZ_EMAIL"], os.environ["TIKTI_FUZZ_PASSWORD"])
        if self.token is None:
            raise RuntimeError("the administrator cannot sign in")
        self.fill()
        # The first one has the address of the document's examples: he will not last.
        self.replace()

    def fill(self):
        """Makes the administrators who wait."""
        while len(self.spares) < SPARES:
            self.made += 1
            email = f"spare-{self.made}@fuzz.test"
            body = {"email": email, "password": PASSWORD, "role": "ADMIN"}
            status, _ = call("POST", "/v1/accounts/signUp", body, self.token)
            if status != 200:
                raise RuntimeError(f"no administrator can be made: {status}")
            self.spares.append(email)

    def replace(self):
        """Puts the next one in his place who can sign in."""
        while self.spares:
            token = sign_in(self.spares.pop(0), PASSWORD)
            if token is not None:
                self.token = token
                self.fill()
                return
        raise RuntimeError("no administrator is left: the rest would prove nothing")

    def check(self):
        """Replaces him where his token is refused."""
        status, _ = call("GET", "/v1/users?pageSize=1", token=self.token)
        if status != 200:
            self.lost += 1
            self.replace()


class Victim:
    """A user whom requests may find, change and delete."""

    def __init__(self, administrator):
        self.administrator = administrator
        self.made = 0
        self.make()

    def make(self):
        self.made += 1
        self.email = f"victim-{self.made}@fuzz.test"
        body = {"email": self.email, "password": PASSWORD}
        _, reply = call("POST", "/v1/accounts/signUp", body, self.administrator.token)
        self.id = reply["localId"]


ADMINISTRATOR = Administrator()
VICTIM = Victim(ADMINISTRATOR)
REPLIES = defaultdict(Counter)
SEEN = Counter()

if call("POST", "/v1/tenants", {"slug": TENANT}, ADMINISTRATOR.token)[0] != 200:
    raise RuntimeError("no tenant can be made")


def known(label, name):
    """What is there of this name, every second time."""
    values = {
        "idToken": ADMINISTRATOR.token,
        "token": ADMINISTRATOR.token,
        "id": VICTIM.id,
        "email": VICTIM.email,
        "password": PASSWORD,
        "t": TENANT,
        "tenantId": TENANT,
    }
    if name not in values or label == "POST /v1/accounts/signUp":
        return None
    SEEN[label, name] += 1
    return values[name] if SEEN[label, name] % ENDING.get(label, 2) == 0 else None


@schemathesis.hook
def before_call(context, case, **_):
    case.headers["X-API-Key"] = API_KEY
    case.headers["Authorization"] = f"Bearer {ADMINISTRATOR.token}"
    for fields in (case.path_parameters, case.body):
        if not isinstance(fields, dict):
            continue
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = known(case.operation.label, name) or value


@schemathesis.hook
def after_call(context, case, response):
    REPLIES[case.operation.label][str(response.status_code)] += 1
    if response.status_code in (401, 403):
        ADMINISTRATOR.check()
    if case.operation.label == "DELETE /v1/users/{id}" and response.status_code == 200:
        # It may have been the administrator himself.
        ADMINISTRATOR.check()
        VICTIM.make()


@atexit.register
def tell():
    with open(os.environ["TIKTI_FUZZ_REPLIES"], "w", encoding="utf-8") as file:
        json.dump({"replies": REPLIES, "lost": ADMINISTRATOR.lost}, file)

"""What schemathesis shows to the server, and how it got on: see `schemathesis` beside this file.

The requests are made to destroy: they sign the administrator out, set his password, delete him. He is
therefore one of several, and when his token is refused the next one takes his place, so that the run
does not end in a thousand times 401. No generator guesses a token or an id: every second time that a
request asks for one, it gets his token, or the name of something that is there; what a request has
deleted is made again.
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
# What a tenant is given one of: the collection, and what one is made from. Its answer names it.
THINGS = {
    "users": lambda victim, n: {"email": victim.email, "roles": ["TENANT_USER"]},
    "roles": lambda victim, n: {"name": f"FUZZED_{n}", "permissions": ["jobs:read"]},
    "clients": lambda victim, n: {"clientId": f"fuzzed-{n}", "allowedScopes": ["jobs:read"]},
    "workers": lambda victim, n: {"id": f"fuzzed-{n}", "scopes": ["jobs:read"]},
    "apiKeys": lambda victim, n: {"scopes": ["introspect"]},
}


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


class Tenant:
    """A tenant with one of everything."""

    def __init__(self, administrator, victim):
        self.administrator, self.victim = administrator, victim
        self.made = 0
        self.make()

    def make(self):
        """Makes another tenant: the name of a deleted one is not used again."""
        self.made += 1
        self.slug = f"fuzzed-company-{self.made}"
        if call("POST", "/v1/tenants", {"slug": self.slug}, self.administrator.token)[0] != 200:
            raise RuntimeError("no tenant can be made")
        self.names = {}
        for collection in THINGS:
            self.make_thing(collection)

    def make_thing(self, collection):
        """Makes another one, with a name that none had."""
        self.made += 1
        body = THINGS[collection](self.victim, self.made)
        path = f"/v1/tenants/{self.slug}/{collection}"
        status, reply = call("POST", path, body, self.administrator.token)
        if status != 200:
            # A tenant that requests have suspended takes nothing; the old name then is one of nobody.
            return
        name = reply.get("userId") or reply.get("id") or reply.get("clientId") or reply.get("name")
        self.names[collection] = name

    def name(self, label):
        """The name of what the path of `label` speaks of, if there is one."""
        if "/v1/tenants/{t}/" not in label:
            return None
        return self.names.get(label.split("/v1/tenants/{t}/")[1].split("/")[0])


ADMINISTRATOR = Administrator()
VICTIM = Victim(ADMINISTRATOR)
TENANT = Tenant(ADMINISTRATOR, VICTIM)
REPLIES = defaultdict(Counter)
SEEN = Counter()


def known(label, name, more):
    """What is there of this name, every second time."""
    values = {
        "idToken": ADMINISTRATOR.token,
        "token": ADMINISTRATOR.token,
        "id": VICTIM.id,
        "email": VICTIM.email,
        "password": PASSWORD,
        "t": TENANT.slug,
        "tenantId": TENANT.slug,
        **{name: value for name, value in more.items() if value},
    }
    if values.get(name) is None or label == "POST /v1/accounts/signUp":
        return None
    SEEN[label, name] += 1
    return values[name] if SEEN[label, name] % ENDING.get(label, 2) == 0 else None


@schemathesis.hook
def before_call(context, case, **_):
    case.headers["X-API-Key"] = API_KEY
    case.headers["Authorization"] = f"Bearer {ADMINISTRATOR.token}"
    label = case.operation.label
    there = TENANT.name(label)
    for fields, more in ((case.path_parameters, {"id": there, "name": there}), (case.body, {})):
        if not isinstance(fields, dict):
            continue
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = known(label, name, more) or value


@schemathesis.hook
def after_call(context, case, response):
    REPLIES[case.operation.label][str(response.status_code)] += 1
    if response.status_code in (401, 403):
        ADMINISTRATOR.check()
    if case.operation.label == "DELETE /v1/users/{id}" and response.status_code == 200:
        # It may have been the administrator himself.
        ADMINISTRATOR.check()
        VICTIM.make()
        TENANT.make_thing("users")
    if case.operation.label == "DELETE /v1/tenants/{t}" and response.status_code == 200:
        TENANT.make()
    elif "DELETE /v1/tenants/{t}/" in case.operation.label and response.status_code == 200:
        TENANT.make_thing(case.operation.label.split("/")[4])


@atexit.register
def tell():
    with open(os.environ["TIKTI_FUZZ_REPLIES"], "w", encoding="utf-8") as file:
        json.dump({"replies": REPLIES, "lost": ADMINISTRATOR.lost}, file)

"""A real Tikti for the harnesses: started, signed in to, and asked for tokens."""

import base64
import json
import os
import pathlib
import random
import secrets
import select
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TIKTI = os.environ.get("TIKTI_BIN", str(TARGET / "debug" / "tikti"))
READY_SECONDS = 60

# What the template of a new tenant has, and what is asked of it.
AUDIENCES = {"access": "backend-worker", "worker": "codeq-worker"}
SCOPES = {"access": "jobs:read jobs:write", "worker": "codeq:claim codeq:result"}


def call(url, body, bearer=None, key=None, method="POST"):
    """Sends JSON; gives the reply's JSON. Refusals are exceptions that say the reply."""
    headers = {"Content-Type": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    if key:
        headers["X-API-Key"] = key
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as refused:
        raise RuntimeError(f"{url}: {refused.code} {refused.read().decode()}") from None


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return json.load(reply)


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def own_environment():
    """The environment without what would change the program's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TIKTI_")}


def run_tikti(home, *arguments, **more):
    """Runs the program with a home of its own; gives what it printed."""
    environment = {**own_environment(), "HOME": str(home)}
    done = subprocess.run(
        [TIKTI, *arguments], env=environment, capture_output=True, text=True, **more
    )
    if done.returncode != 0:
        shown = " ".join(map(str, arguments))
        raise RuntimeError(f"tikti {shown}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Dev:
    """`tikti dev` over the folder `work`: the store is `store`, or lies in the folder."""

    def __init__(self, work, store=None):
        self.work = work
        self.log = work / "dev.log"
        command = [TIKTI, "dev", "--listen", "127.0.0.1:0", "--data", str(work / "data")]
        command += ["--store", store] if store else []
        self.process = subprocess.Popen(
            [*command, "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=open(self.log, "ab"),
            env={**own_environment(), "HOME": str(work)},
        )
        readable, _, _ = select.select([self.process.stdout], [], [], READY_SECONDS)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            stop(self.process)
            raise RuntimeError(f"the server did not become ready:\n{self.log.read_text()}")
        self.ready = json.loads(line)
        self.url = self.ready["url"]

    def stop(self):
        stop(self.process)


class Session:
    """The administrator's session at the server at `url`."""

    def __init__(self, url, ready):
        self.url, self.key = url, ready["apiKey"]
        body = {"email": ready["adminEmail"], "password": ready["adminPassword"]}
        reply = call(f"{url}/v1/accounts/signInWithPassword", body, key=self.key)
        self.id_token = reply["idToken"]

    def create_tenant(self, slug):
        return call(f"{self.url}/v1/tenants", {"slug": slug}, self.id_token, self.key)["id"]

    def exchange(self, token_class, tenant, subject=None):
        """A token of the class, by token exchange."""
        body = {
            "idToken": self.id_token,
            "audience": AUDIENCES[token_class],
            "tenantId": tenant,
            "scopes": SCOPES[token_class],
        }
        if subject:
            body["subject"] = subject
        if token_class == "worker":
            body["eventTypes"] = ["*"]
        return call(f"{self.url}/v1/accounts/token/exchange", body, key=self.key)["accessToken"]


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    """A port that nobody listens on, below those that connections take by themselves."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def write_secrets(data):
    """Makes the secrets of `tikti dev` in its directory; gives those of `tikti serve`, and the API key.

    `serve` takes the text of a pepper, `dev` what it stands for in base64: here both are letters.
    """
    data.mkdir(mode=0o700)
    master = base64.b64encode(os.urandom(32)).decode()
    pepper, hs256 = secrets.token_hex(16), secrets.token_hex(16)
    api_keys = [f"tk_{secrets.token_hex(5)}_{secrets.token_hex(16)}" for _ in range(2)]
    kept = {
        "masterKey": master,
        "pepper": base64.b64encode(pepper.encode()).decode(),
        "hs256": base64.b64encode(hs256.encode()).decode(),
        "apiKey": api_keys[0],
        "webApiKey": api_keys[1],
        "adminPassword": secrets.token_urlsafe(20),
        "firebaseAdminPath": f"/{secrets.token_hex(16)}",
    }
    # JSON is YAML.
    (data / "secrets.yaml").write_text(json.dumps(kept))
    named = {"masterKey": master, "pepper": pepper, "hs256": hs256}
    return {name: [{"kid": "dev", "secret": text}] for name, text in named.items()}, api_keys[0]


class Redis:
    """A redis-server of its own, which keeps nothing."""

    def __init__(self, work):
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(work)]
        command += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        self.process = subprocess.Popen(command, stdout=open(work / "redis.log", "ab"))
        self.url = f"redis://127.0.0.1:{self.port}"

    def stop(self):
        stop(self.process)


class Serve:
    """A replica: `tikti serve` with the configuration `settings`, which is written as JSON (it is YAML)."""

    def __init__(self, work, name, settings, api_key):
        self.log = work / f"{name}.log"
        self.url = f"http://{settings['listen']}"
        config = work / f"{name}.yaml"
        config.write_text(json.dumps(settings))
        config.chmod(0o600)
        self.process = subprocess.Popen(
            [TIKTI, "serve", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=open(self.log, "ab"),
            env={**own_environment(), "TIKTI__API_KEY": api_key},
        )
        end = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                stop(self.process)
                raise RuntimeError(f"the replica did not become ready:\n{self.log.read_text()}")
            time.sleep(0.1)

    def is_ready(self):
        try:
            fetch(f"{self.url}/readyz")
        except OSError:
            return False
        return True

    def stop(self):
        stop(self.process)

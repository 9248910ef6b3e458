"""The lines for a shell in docs/oauth.md and docs/introspection.md, run as a reader would paste them."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import deployment

DOCS = deployment.ROOT / "docs"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 60

# What each block for a shell must print, in the order of the page: an object that has these members, with this value
# where one is given. A block more or less fails until somebody has said here what it is.
MEMBERS = {
    "oauth.md": [
        {"access_token": ..., "issued_token_type": ..., "scope": "jobs:read jobs:write"},
        {"access_token": ..., "issued_token_type": ...},
        {"access_token": ..., "scope": "jobs:read"},
        {"access_token": ..., "id_token": ..., "refresh_token": ...},
    ],
    "introspection.md": [
        {"active": True, "aud": "jobs-api"},
        {},
    ],
}


def prepared(server):
    """Lays out what the pages name; gives the variables of each page."""
    session = deployment.Session(server.url, server.ready)
    tenant = session.create_tenant("codecompany")

    def make(path, body):
        return deployment.call(f"{server.url}/v1/{path}", body, session.id_token, session.key)

    def exchanged(audience):
        body = {"idToken": session.id_token, "tenantId": tenant, "audience": audience}
        return make("accounts/token/exchange", body)["accessToken"]

    make(f"tenants/{tenant}/clients", {
        "clientId": "api", "allowedGrantTypes": ["client_credentials"], "allowedScopes": ["jobs:read"],
    })
    service = make(f"tenants/{tenant}/clients", {"clientId": "jobs-api", "defaultScopes": ["jobs:read"]})
    worker = make(f"tenants/{tenant}/workers", {"id": "robot", "clients": ["api"], "scopes": ["jobs:read"]})
    key = make("apiKeys", {"name": "pages", "scopes": ["token:exchange"]})
    # A session that goes on by itself.
    credentials = {"email": server.ready["adminEmail"], "password": server.ready["adminPassword"]}
    signed_in = make("accounts/signInWithPassword", {**credentials, "returnSecureToken": True})
    return {
        "oauth.md": {
            "URL": server.url,
            "KEY": key["key"],
            "ID_TOKEN": session.id_token,
            "TENANT_ID": tenant,
            "WORKER": "robot",
            "WORKER_SECRET": worker["secret"],
            "REFRESH_TOKEN": signed_in["refreshToken"],
        },
        "introspection.md": {
            "URL": server.url,
            "TENANT_ID": tenant,
            "SECRET": service["secret"],
            "TOKEN": exchanged("jobs-api"),
        },
    }


def shown(lines, variables):
    """Runs the lines, which name no other variables than these and their own; gives the JSON that they print."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            ["sh", "-euc", lines],
            # Without what a ~/.curlrc or a proxy of this machine would change.
            env={"PATH": f"{pathlib.Path(shutil.which('curl')).parent}:/usr/bin:/bin", "HOME": home, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    if done.returncode != 0:
        raise ValueError(f"exit code {done.returncode}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def problem_of(lines, variables, members):
    """What is wrong with a block; None where it prints what it should."""
    try:
        reply = shown(lines, variables)
    except (ValueError, subprocess.TimeoutExpired) as failed:
        return str(failed)
    is_there = all(
        name in reply and (value is ... or reply[name] == value) for name, value in members.items()
    )
    # A refusal is JSON, too.
    return None if is_there and "error" not in reply else f"printed {reply}"


def problems_of(server):
    """Runs the blocks of every page; gives what is wrong, with the page and the number of the block."""
    if shutil.which("curl") is None:
        return ["docs/oauth.md, docs/introspection.md: there is no curl to run their lines with"]
    problems = []
    for page, variables in prepared(server).items():
        blocks = BLOCK.findall((DOCS / page).read_text())
        shells = [text for language, text in blocks if language == "sh"]
        if len(shells) != len(MEMBERS[page]):
            problems.append(f"{page}: {len(shells)} blocks for a shell: say in shell_blocks.py what they print")
        for number, (lines, members) in enumerate(zip(shells, MEMBERS[page]), 1):
            if problem := problem_of(lines, variables, members):
                problems.append(f"{page}: block {number}: {problem}\n{lines}")
        print(f"{page:23}{len(shells)} blocks")
        if page == "introspection.md":
            problems += after_revocation(shells, variables)
    return problems


def after_revocation(shells, variables):
    """The page has asked about the token and revoked it: asked once more, it is good no more."""
    reply = shown(shells[0], variables)
    return [] if reply == {"active": False} else [f"introspection.md: after the revocation: {reply}"]

#!/usr/bin/env bash
# The landing page's "Get Started", word for word, against a server of its own; then the token is
# verified by PyJWT from the discovery document alone, without any code of Tikti.
#
#   examples/landing-page.sh                        builds the program first
#   TIKTI_BIN=/usr/bin/tikti examples/landing-page.sh
#   DATA=dir TIKTI_DEV_OPTIONS='--store redis://localhost' SLUG=other examples/landing-page.sh
#                                                   on a deployment that is there, and stays
#
# Needs bash and python3. Where PyJWT is not installed, it goes into a temporary environment (venv,
# pip), in the version that .ci/requirements.txt names.
# Leaves nothing else behind. Exit code 0 means that every step and every check held.
set -euo pipefail
exec 2>&1 # one stream, so that what is said and what is printed stay in order

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z "${TIKTI_BIN:-}" ]]; then
  echo "# Building the program"
  (cd "$root" && cargo build --release --quiet --package tikti)
  TIKTI_BIN="${CARGO_TARGET_DIR:-$root/target}/release/tikti"
fi

work=$(mktemp -d)
server=
finish() {
  local code=$?
  if [[ -n "$server" ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" || true
  fi
  if [[ $code -ne 0 && -s "$work/server.log" ]]; then
    echo "# The server's log:"
    cat "$work/server.log"
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

# A home of its own: the profile of whoever runs this is not touched, and no variable of theirs decides.
mkdir "$work/home" "$work/bin"
ln -s "$(realpath "$TIKTI_BIN")" "$work/bin/tikti"
export HOME="$work/home" PATH="$work/bin:$PATH"
unset TIKTI_HOST TIKTI_API_KEY TIKTI_TOKEN TIKTI_TENANT TIKTI_PROFILE

python="python3"
if ! python3 -c 'import jwt, cryptography' 2>/dev/null; then
  echo "# Installing PyJWT into a temporary environment"
  if ! python3 -m venv "$work/venv"; then
    echo "# python3 cannot make a virtual environment: install its venv module (Debian: python3-venv)"
    exit 1
  fi
  python="$work/venv/bin/python"
  if ! "$python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$root/.ci/requirements.txt"; then
    echo "# PyJWT cannot be installed from PyPI: install it for python3 by other means, and run again"
    exit 1
  fi
fi

echo "# Starting a server on a free port"
mkfifo "$work/ready"
read -ra options <<<"${TIKTI_DEV_OPTIONS:-}"
tikti dev --listen 127.0.0.1:0 --data "${DATA:-$work/data}" "${options[@]}" --output json \
  >"$work/ready" 2>"$work/server.log" &
server=$!
exec 3<"$work/ready"
read -r -t 60 ready <&3
member() { "$python" -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }
url=$(member "$ready" url)
password=$(member "$ready" adminPassword)

slug="${SLUG:-codecompany}"
say() { printf '\n$ %s\n' "$*"; }

say "tikti init --host $url"
tikti init --host "$url"

# There is no terminal to ask for the password here, so it comes from a pipe; a person leaves
# --password-stdin out and types it.
say "tikti auth login --user root@corp.sys"
printf '%s\n' "$password" | tikti auth login --user root@corp.sys --password-stdin

say "tikti tenant create --slug $slug"
tikti tenant create --slug "$slug"

say 'tikti token exchange \
    --aud backend-worker \
    --scope "jobs:read jobs:write" \
    --tenant '"$slug"' \
    --sub worker-01'
token=$(tikti token exchange \
    --aud backend-worker \
    --scope "jobs:read jobs:write" \
    --tenant "$slug" \
    --sub worker-01)
printf '%s\n' "$token"

# What the claims must say, asked from the server before PyJWT looks at them.
tenant=$(tikti tenant get "$slug" --quiet)
user=$(member "$(tikti auth status --output json)" localId)

printf '\n# Verifying the token with PyJWT, from the discovery document alone\n'
"$python" - "$url" "$token" "$tenant" "$user" <<'PYTHON'
import json
import sys
import urllib.request

import jwt

issuer, token, tenant, user = sys.argv[1:]

with urllib.request.urlopen(issuer + "/.well-known/openid-configuration") as reply:
    discovery = json.load(reply)
key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    key.key,
    algorithms=["RS256"],
    audience="backend-worker",
    issuer=discovery["issuer"],
    options={"require": ["aud", "exp", "iat", "iss", "jti", "sub"]},
)

expected = {
    "iss": issuer,
    "tid": tenant,
    "sub": "worker-01",
    "act": {"sub": user},
    "token_use": "access",
}
wrong = {name: claims.get(name) for name, value in expected.items() if claims.get(name) != value}
if set(claims["scope"].split()) != {"jobs:read", "jobs:write"}:
    wrong["scope"] = claims["scope"]
if wrong:
    sys.exit(f"the token verifies, but these claims are not as they should be: {wrong}")

print(json.dumps(claims, indent=2))
print("verified by PyJWT")
PYTHON

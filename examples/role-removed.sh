#!/usr/bin/env bash
# A member joins a tenant, gets a token for a service, loses the role, and gets none any more; the trace
# of the decision says why.
#
#   examples/role-removed.sh                        builds the program first
#   TIKTI_BIN=/usr/bin/tikti examples/role-removed.sh
#
# Needs bash and python3. Leaves nothing behind. Exit code 0 means that every step and every check held.
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
unset TIKTI_HOST TIKTI_API_KEY TIKTI_TOKEN TIKTI_TENANT TIKTI_PROFILE

say() { printf '\n# %s\n' "$*"; }
member() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }
# Two people, two homes: the program keeps its session in the home of whoever runs it.
mkdir "$work/root" "$work/ann"
as_root() { HOME="$work/root" "$TIKTI_BIN" "$@"; }
as_ann() { HOME="$work/ann" TIKTI_API_KEY="$api_key" "$TIKTI_BIN" "$@"; }
call() { # call METHOD PATH [BODY]: as the administrator; prints the reply, one member a line
  python3 - "$url" "$(as_root token show --type id)" "$@" <<'PYTHON'
import json
import sys
import urllib.request

url, id_token, method, path, *body = sys.argv[1:]
headers = {"Authorization": f"Bearer {id_token}", "Content-Type": "application/json"}
data = body[0].encode() if body else None
request = urllib.request.Request(url + path, data, headers, method=method)
with urllib.request.urlopen(request) as reply:
    print(json.dumps(json.load(reply), indent=2))
PYTHON
}
exchange() { # exchange WHO: a token for backend-worker
  "$1" token exchange --aud backend-worker --scope jobs:read --tenant codecompany
}

say "A server, the administrator's session, a tenant"
mkfifo "$work/ready"
HOME="$work/root" "$TIKTI_BIN" dev --listen 127.0.0.1:0 --data "$work/data" --output json \
  >"$work/ready" 2>"$work/server.log" &
server=$!
exec 3<"$work/ready"
read -r -t 60 ready <&3
url=$(member "$ready" url)
api_key=$(member "$ready" apiKey)
as_root init --host "$url"
member "$ready" adminPassword | as_root auth login --user root@corp.sys --password-stdin
as_root tenant create --slug codecompany

say "A user, and her seat in the tenant"
password='an umbrella in october'
call POST /v1/accounts/signUp "{\"email\": \"ann@corp.example\", \"password\": \"$password\"}" >/dev/null
added=$(call POST /v1/tenants/codecompany/users '{"email": "ann@corp.example", "roles": ["JOBS_OPERATOR"]}')
echo "$added"
ann=$(member "$added" userId)
as_ann init --host "$url"
printf '%s\n' "$password" | as_ann auth login --user ann@corp.example --password-stdin

say "Her token for backend-worker"
exchange as_ann | cut -c1-60

say "The role is removed"
call PATCH "/v1/tenants/codecompany/users/$ann" '{"roles": ["TENANT_USER"]}'

say "Her next exchange is refused"
if refused=$(exchange as_ann 2>&1); then
  echo "there is a token where none should be"
  exit 1
fi
echo "$refused"

say "Why: the same decision, explained to the administrator"
explained=$(call POST /v1/authorization/explain \
  "{\"userId\": \"$ann\", \"tenantId\": \"codecompany\", \"audience\": \"backend-worker\", \"scopes\": \"jobs:read\"}")
python3 - "$refused" "$explained" <<'PYTHON'
import json
import sys

refused, explained = sys.argv[1], json.loads(sys.argv[2])
for step in explained["trace"]:
    print(f'{step["step"]:>2}  {step["name"]:<15} {step["result"]:<20} {step["input"]}')
found = (explained["allow"], explained.get("step"), explained.get("code"))
if found != (False, 8, "SCOPE_NOT_PERMITTED"):
    sys.exit(f"the decision is not as it should be: {found}")
if "SCOPE_NOT_PERMITTED" not in refused:
    sys.exit("the exchange was refused for another reason")
print("refused, and explained")
PYTHON

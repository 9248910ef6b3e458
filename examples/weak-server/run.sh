#!/usr/bin/env bash
# One of the two example servers, with PyJWT.
#
#   ISSUER=http://127.0.0.1:9400 AUDIENCE=backend-worker TENANT=codecompany SCOPE=jobs:read \
#     LISTEN=127.0.0.1:9000 examples/weak-server/run.sh weak        # or: correct
#
# Prints the address of its route when it is ready. Needs bash and python3; where PyJWT is not
# installed, it goes into a temporary environment (venv, pip), in the version that
# .ci/requirements.txt names. Leaves nothing behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
server="$here/${1:?weak or correct}.py"
export PYTHONDONTWRITEBYTECODE=1

if python3 -c 'import jwt, cryptography' 2>/dev/null; then
  exec python3 "$server"
fi

work=$(mktemp -d)
child=
finish() {
  if [[ -n "$child" ]]; then
    kill "$child" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --requirement "$here/../../.ci/requirements.txt" >&2
"$work/venv/bin/python" "$server" &
child=$!
wait "$child"

#!/usr/bin/env bash
# A deployment outgrows its machine: filled with users, moved from the embedded store to a Redis and
# back, verified at every stop, and at every stop the landing page's session works.
#
#   examples/moving.sh            with 1,000 users
#   examples/moving.sh 100000
#   TIKTI_BIN=/usr/bin/tikti TIKTI_FILL=target/release/examples/fill examples/moving.sh
#
# Needs bash, python3 and redis-server; builds the programs where they are not named. Leaves nothing
# behind. Exit code 0 means that every step and every check held.
set -euo pipefail

users=${1:-1000}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
if [[ -z "${TIKTI_BIN:-}" ]]; then
  (cd "$root" && cargo build --release --quiet --package tikti)
  TIKTI_BIN="$target/release/tikti"
fi
if [[ -z "${TIKTI_FILL:-}" ]]; then
  (cd "$root" && cargo build --release --quiet --package tikti-server --example fill)
  TIKTI_FILL="$target/release/examples/fill"
fi
export TIKTI_BIN

work=$(mktemp -d)
redis=
finish() {
  local code=$?
  if [[ -n "$redis" ]]; then
    kill "$redis" 2>/dev/null || true
    wait "$redis" || true
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

say() { printf '\n# %s\n' "$*"; }
tikti() { HOME="$work" "$TIKTI_BIN" "$@"; }
timed() { # timed COMMAND...: what it says, and how long it took
  local begun=$SECONDS
  "$@"
  echo "($((SECONDS - begun)) s)"
}
session() { # session SLUG OPTIONS...: the landing page's session, on the store of these options
  SLUG=$1 DATA=$work/data TIKTI_DEV_OPTIONS="${*:2}" bash "$root/examples/landing-page.sh" >"$work/log" ||
    { cat "$work/log"; return 1; }
  tail -n 1 "$work/log"
}

port=$(python3 - <<'PYTHON'
import random
import socket

while True:
    port = random.randrange(20000, 30000)
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
)
mkdir "$work/redis"
redis-server --port "$port" --bind 127.0.0.1 --dir "$work/redis" --save '' --appendonly yes \
  --appendfsync everysec --maxmemory-policy noeviction >"$work/redis.log" &
redis=$!
until redis-cli -p "$port" ping >/dev/null 2>&1; do
  kill -0 "$redis"
  sleep 0.1
done
embedded="embedded:$work/data/store" server="redis://127.0.0.1:$port"

say "A session on the embedded store, then $users users, each a member of its tenant"
session codecompany
tenant=$(grep -o '"tid": "[^"]*"' "$work/log" | cut -d '"' -f 4)
timed "$TIKTI_FILL" "$work/data" "$users" "$tenant"
timed tikti store verify --data "$work/data"

say "To the Redis"
timed tikti store copy --from "$embedded" --to "$server"
timed tikti store verify --store "$server"
session on-redis --store "$server"

say "And back"
mv "$work/data/store" "$work/old"
timed tikti store copy --from "$server" --to "$embedded"
timed tikti store verify --data "$work/data"
session back-again

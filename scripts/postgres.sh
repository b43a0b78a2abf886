#!/bin/sh
# Runs a command with a PostgreSQL server of its own, for the tests of the store: on loopback, on a free
# port, in a folder that goes away with it. The command finds it by THALWEG_TEST_POSTGRES.
#
#   scripts/postgres.sh cargo nextest run -p thalweg-console
#
# Where THALWEG_TEST_POSTGRES is set already, that server is used; where PostgreSQL is not installed, the
# command runs without, and its tests of PostgreSQL fail, unless they are left out by the filter that
# scripts/peers.sh writes.
set -eu
[ $# -gt 0 ] || { echo "usage: scripts/postgres.sh COMMAND..." >&2; exit 2; }
[ -z "${THALWEG_TEST_POSTGRES:-}" ] || exec "$@"

# Debian keeps the server's programs out of the path: the newest of them.
bin=$(for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin; do
    [ -x "$folder/initdb" ] && echo "$folder"
done | sort -V | tail -n 1)
[ -n "$bin" ] || { initdb=$(command -v initdb) && bin=$(dirname "$initdb") || exec "$@"; }

# PostgreSQL refuses to run as root.
as=""
[ "$(id -u)" != 0 ] || as="runuser -u postgres --"

folder=$(mktemp -d)
[ -z "$as" ] || chown postgres "$folder"
stop() {
    $as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing in it outlives the tests: that it would survive a power cut is not worth its time.
(cd "$folder" && $as "$bin/initdb" -D data -U thalweg -A trust -E UTF8 --locale=C.UTF-8 -N) \
    >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
# A free port may be taken before the server has it: then another.
for try in 1 2 3 4 5; do
    port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 20000))
    if (cd "$folder" && $as "$bin/pg_ctl" -D data -l "$folder/data/log" -w -t 30 \
        -o "-c listen_addresses=127.0.0.1 -p $port -k $folder -c fsync=off -c max_connections=400" \
        start) >/dev/null 2>&1; then
        break
    fi
    [ "$try" != 5 ] || { cat "$folder/data/log" >&2; exit 1; }
done

THALWEG_TEST_POSTGRES="postgres://thalweg@127.0.0.1:$port/postgres" "$@"

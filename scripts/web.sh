#!/bin/sh
# The pages of the console and of the demo, and the elements for everybody's pages, which are built by Node and kept in
# the repository.
#
#   scripts/web.sh check    tests them, builds them anew, and compares that with what is kept, and sizes with their bounds
#   scripts/web.sh build    builds them to where they are kept
#   scripts/web.sh walk     goes through them with a browser, against the mock of the API: in English at a desk, and in
#                           Chinese on a phone
set -eu
cd "$(dirname "$0")/.."
kept=$PWD/crates/console/assets

command -v node >/dev/null && command -v npm >/dev/null || {
    echo "node is missing: install Node 20.19 or newer with npm (https://nodejs.org)"
    exit 1
}
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || {
    echo "node $(node --version) is too old: install 20.19 or newer (https://nodejs.org)"
    exit 1
}

# What is installed belongs to a lock file: it is kept until that changes.
install() {
    for part in web miniprogram; do
        stamp=$part/node_modules/.lock
        cmp -s $part/package-lock.json "$stamp" && continue
        (cd $part && npm ci --no-audit --no-fund --loglevel=error)
        cp $part/package-lock.json "$stamp"
    done
}

case "${1:-}" in
check)
    install
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    (cd web && npm run lint --silent && npm run types --silent && npm test --silent &&
        node packages/elements/scripts/sdk.mjs "$made/sdk") >"$made/log" 2>&1 || {
        cat "$made/log"
        exit 1
    }
    grep gzip "$made/log"
    (cd web/console &&
        OUT_DIR="$made/console" DEMO_DIR="$made/demo" npm run build --silent >"$made/log" 2>&1) || {
        [ ! -e "$made/log" ] || cat "$made/log"
        exit 1
    }
    for part in console demo sdk; do
        diff -rq "$made/$part" "$kept/$part" || {
            echo "crates/console/assets/$part is not what web makes: scripts/web.sh build"
            exit 1
        }
    done
    echo "the pages of console and demo, and the elements, are what web makes"
    ;;
build)
    install
    (cd web && node packages/elements/scripts/sdk.mjs && cd console && npm run build --silent)
    ;;
walk)
    install
    (cd web/console && SHOTS=e2e/shots/desk node e2e/walk.mjs &&
        SHOTS=e2e/shots/phone WALK_LANG=zh WALK_WIDTH=360 node e2e/walk.mjs)
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

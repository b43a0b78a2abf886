#!/bin/sh
# Fuzzes each target for some seconds, or those that are named.
#
#   scripts/fuzz.sh SECONDS [TARGET...]
#
# Needs a C++ compiler for libFuzzer, and nothing else: the flags below are what cargo-fuzz would
# pass, without the sanitizers that want a nightly compiler. Finds are written to fuzz/artifacts; a
# find becomes a seed in fuzz/corpus, under a name that says what it was, and a named test.
set -eu
cd "$(dirname "$0")/../fuzz"
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $(ls fuzz_targets | sed 's/\.rs$//')

export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
# A target named, even this machine's own, keeps the flags away from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --quiet --target "$host"
mkdir -p artifacts
for target; do
    # What it learns goes to a folder that is thrown away; the corpus is kept by hand.
    learnt=$(mktemp -d)
    echo "fuzzing $target for $seconds s"
    "${CARGO_TARGET_DIR:-target}/$host/release/$target" "$learnt" "corpus/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
        -artifact_prefix="artifacts/$target-" -verbosity=0 -print_final_stats=1 2>&1 |
        grep -E 'number_of_executed|ERROR|panicked|Test unit' || true
    rm -rf "$learnt"
done
if ls artifacts/* >/dev/null 2>&1; then
    echo "finds:" && ls artifacts && exit 1
fi

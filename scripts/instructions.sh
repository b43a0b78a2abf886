#!/bin/sh
# Counts the instructions of the hot path under valgrind, and compares them with those that are kept
# in bench/instructions.txt: a change of more than a tenth is an error, on any machine.
#
#   scripts/instructions.sh           compares
#   KEEP=1 scripts/instructions.sh    keeps what it counts
#
# What is counted is a difference of two runs, so that the start of the program is not in it.
set -eu
cd "$(dirname "$0")/.."
kept=bench/instructions.txt
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
cargo build --release --quiet --package thalweg-server --example hot_path
program=${CARGO_TARGET_DIR:-target}/release/examples/hot_path

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 |
        sed -n 's/.*Collected : //p'
}

# What so many more frames cost so many more viewers: each pair of runs differs in frames, so that the
# start is not in it, and the pairs differ in viewers, so that what a frame costs by itself is not.
#
# name, mode, viewers of the second pair, what one of them is counted over
per_viewer() {
    alone=$(($(count "$2" 1680 100) - $(count "$2" 560 100)))
    crowd=$(($(count "$2" 1680 "$3") - $(count "$2" 560 "$3")))
    echo "$1 $(((crowd - alone) / (($3 - 100) * $4)))"
}

# name, mode, viewers
per_frame() {
    echo "$1 $((($(count "$2" 2800 "$3") - $(count "$2" 560 "$3")) / 2240))"
}

counted=$(
    # 1120 frames are twenty seconds, 200 flushes.
    per_viewer live-per-viewer-and-flush live 600 200
    per_viewer rtc-per-viewer-and-frame rtc 600 1120
    per_frame live-per-frame live 1
    per_frame ingest-per-frame ingest 0
)
echo "$counted"
if [ "${KEEP:-}" = 1 ]; then
    {
        echo "# Instructions of the hot path, counted by scripts/instructions.sh"
        echo "$counted"
    } >"$kept"
    exit 0
fi
echo "$counted" | while read -r name now; do
    before=$(sed -n "s/^$name //p" "$kept")
    [ -n "$before" ] || { echo "$name is not in $kept" >&2; exit 1; }
    if [ $((now * 10)) -gt $((before * 11)) ] || [ $((now * 11)) -lt $((before * 10)) ]; then
        echo "$name: $now instructions, $before were kept: mend it, or keep it with KEEP=1" >&2
        exit 1
    fi
done

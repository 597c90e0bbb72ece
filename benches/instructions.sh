#!/usr/bin/env bash
# Counts the instructions that a warm no-op call takes in the caller, and guards them.
#
#   benches/instructions.sh            prints the count beside the stored one
#   benches/instructions.sh --check    the same, and fails when it is more than 1 % above the base, or when the feature
#                                      `tracing` without a subscriber adds more than 1 %
#   benches/instructions.sh --update   stores it, and leaves the base as it is
#   benches/instructions.sh --profile  also prints the functions they belong to
#
# The count is the same whatever else the machine does; benches/src/bin/instructions.rs says how it is made.
set -euo pipefail
cd "$(dirname "$0")/.."

reference=benches/instructions.txt
mode=${1:-}
case $mode in
"" | --check | --update | --profile) ;;
*)
    echo "usage: $0 [--check | --update | --profile]" >&2
    exit 2
    ;;
esac

# count ARGUMENTS…: what the program, as it is built now, counts.
count() {
    "${CARGO_TARGET_DIR:-target}/release/instructions" "$@"
}

stored() {
    sed -n "s/^$1: *//p" "$reference"
}

cargo build --quiet --release -p offproc-bench --bin instructions
if ! counted=$(count $([ "$mode" = --profile ] && echo --profile)); then
    echo "instructions: this system does not let them be counted: skipped"
    exit 0
fi
count=$(head -n 1 <<<"$counted")
base=$(stored base)
echo "instructions: $count in the caller for a warm no-op call (stored: $(stored instructions), base: $base)"
tail -n +2 <<<"$counted"

cargo build --quiet --release -p offproc-bench --bin instructions --features tracing
counted=$(count $([ "$mode" = --profile ] && echo --profile))
with_tracing=$(head -n 1 <<<"$counted")
echo "instructions: $with_tracing with the feature tracing and no subscriber (stored: $(stored tracing))"
tail -n +2 <<<"$counted"
echo "instructions: $(count --keep-spans) with the feature tracing and a subscriber that keeps spans"

case $mode in
--update)
    # The base is a promise, not a measurement: it does not follow.
    sed -i "s/^instructions:.*/instructions: $count/; s/^tracing:.*/tracing: $with_tracing/" "$reference"
    sed -i "s/Counted with .*/Counted with $(rustc --version | cut -d' ' -f1,2) on $(uname -m)./" "$reference"
    ;;
--check)
    if [ $((count * 100)) -gt $((base * 101)) ]; then
        echo "instructions: more than 1 % above the base of $base" >&2
        exit 1
    fi
    if [ $((with_tracing * 100)) -gt $((count * 101)) ]; then
        echo "instructions: more than 1 % more with the feature tracing and no subscriber" >&2
        exit 1
    fi
    ;;
esac

#!/usr/bin/env bash
# Counts the instructions that a warm no-op call takes in the caller, and guards them.
#
#   benches/instructions.sh            prints the count beside the stored one
#   benches/instructions.sh --check    the same, and fails when it has risen by more than 10 %
#   benches/instructions.sh --update   stores it
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

cargo build --quiet --release -p offproc-bench --bin instructions
program=${CARGO_TARGET_DIR:-target}/release/instructions
if ! counted=$("$program" $([ "$mode" = --profile ] && echo --profile)); then
    echo "instructions: this system does not let them be counted: skipped"
    exit 0
fi
count=$(head -n 1 <<<"$counted")
stored=$(sed -n 's/^instructions: *//p' "$reference" 2>/dev/null || true)
echo "instructions: $count in the caller for a warm no-op call (stored: ${stored:-none})"
tail -n +2 <<<"$counted"

case $mode in
--update)
    {
        echo "# Instructions in the caller for a warm no-op call, by benches/instructions.sh --update."
        echo "# CI fails when they become more than 10 % more. A rise that is worth it is stored, with its reason in the"
        echo "# commit. Counted with $(rustc --version | cut -d' ' -f1,2) on $(uname -m)."
        echo "instructions: $count"
    } >"$reference"
    ;;
--check)
    if [ -n "$stored" ] && [ $((count * 100)) -gt $((stored * 110)) ]; then
        echo "instructions: more than 10 % above the stored $stored" >&2
        exit 1
    fi
    ;;
esac

#!/usr/bin/env bash
# offproc on systems other than this one: sets each part up, runs it, and ends with a table. A part that cannot be set
# up has failed. docs/platforms.md says what each part shows, and what it cannot.
#
#   tests/platforms.sh [PART…]      every part but those that are for --long, or some
#   tests/platforms.sh --long …     with all that takes longer
#   tests/platforms.sh --build …    only what comes before the first test: installing and compiling
#   tests/platforms.sh --list       what the parts are
#
# It takes a Debian machine with root, for packages.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# NAME TARGET how its programs are run
parts=(
    "musl x86_64-unknown-linux-musl natively"
    "aarch64 aarch64-unknown-linux-gnu by qemu"
    "windows x86_64-pc-windows-gnu by Wine"
    "macos aarch64-apple-darwin type-checked"
    "macos-intel x86_64-apple-darwin type-checked"
    "freebsd x86_64-unknown-freebsd type-checked"
)
# Of two processors of a system, the second is for --long: the same files are compiled for it.
for_long=(macos-intel)
# What every system has to show: calls and their errors, cancellation and limits, contexts and their ends.
essential=(round_trip panics broken_worker kill_on_cancel abandoned time_limit close retire init limiter scope
    default_context shared_bytes)
# One executor of each runtime.
one_executor=(--skip ::tokio_multi_thread:: --skip ::futures_block_on::)
# What qemu's emulator cannot do. It has a thread of its own in each process: a fork server refuses to start, and a fork
# may hang. It knows neither MADV_DONTFORK nor limits of the address space, and no seccomp filters. And to make and
# check 64 MiB takes it minutes.
not_emulated=(--skip ::fork --skip isolated::a_fork --skip are_sealed_while_others_fork
    --skip are_copied_where_there_are_no_memory_files --skip takes_no_memory_for_a_backtrace
    --skip carries_large_values_both_ways_at_once --skip does_not_count_what_the_program_is_stopped_for)

usage() {
    sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

is_long="" is_build="" chosen=()
for argument in "$@"; do
    case $argument in
    --long) is_long=yes ;;
    --build) is_build=yes ;;
    --list)
        printf '%s\n' "${parts[@]}"
        exit
        ;;
    *)
        printf '%s\n' "${parts[@]}" | grep -q "^$argument " || { usage >&2; exit 2; }
        chosen+=("$argument")
        ;;
    esac
done
if [ ${#chosen[@]} = 0 ]; then
    mapfile -t chosen < <(printf '%s\n' "${parts[@]}" | cut -d' ' -f1)
    [ -n "$is_long" ] || mapfile -t chosen < <(printf '%s\n' "${chosen[@]}" | grep -vxF "${for_long[@]}")
fi

export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
# Most tests wait most of the time.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((4 * $(nproc)))}

run() {
    echo "+ $*"
    "$@"
}

cargo_for() {
    run tests/platforms/cargo-for "$@"
}

# `-p NAME` for each published crate.
published() {
    sed -n 's/^name = "\(offproc.*\)"/-p \1/p' crates/*/Cargo.toml | sort -u
}

# run_tests TARGET SELECTION… -- OPTION…: compiles tests, and runs them unless only compiling is asked for.
run_tests() {
    local selection=()
    while [ "$1" != -- ]; do
        selection+=("$1")
        shift
    done
    shift
    if [ -n "$is_build" ]; then
        cargo_for "${selection[0]}" test --quiet --no-run "${selection[@]:1}"
    else
        cargo_for "${selection[0]}" test --quiet --no-fail-fast "${selection[@]:1}" -- "$@"
    fi
}

essential_tests() {
    printf -- '--test %s ' "${essential[@]}"
}

# ---- The parts

# shellcheck disable=SC2046 # one word an option
part_musl() {
    if [ -n "$is_long" ]; then
        run_tests "$1" -p offproc-core -p offproc-pool -p offproc-tests --lib --tests --
    else
        run_tests "$1" -p offproc-tests $(essential_tests) -- "${one_executor[@]}"
    fi
}

# shellcheck disable=SC2046 # one word an option
part_aarch64() {
    local executors=("${one_executor[@]}")
    [ -z "$is_long" ] || executors=()
    # What waits elsewhere computes here.
    RUST_TEST_THREADS=$((2 * $(nproc))) \
        run_tests "$1" -p offproc-tests $(essential_tests) -- "${executors[@]}" "${not_emulated[@]}"
}

# What Windows has mechanisms of its own for.
windows_tests=(windows handles channel_items)

# The tests take from 8 minutes on under Wine, and some fail now and then: with --long alone. docs/platforms.md has what
# they showed.
# shellcheck disable=SC2046 # one word an option
part_windows() {
    local verb=run own
    own=$(printf -- '--test %s ' "${windows_tests[@]}")
    [ -z "$is_build" ] || verb=build
    cargo_for "$1" $verb --quiet -p offproc-examples --example minimal
    # On sample pictures that it makes itself.
    cargo_for "$1" $verb --quiet -p offproc-examples --example thumbnails
    # shellcheck disable=SC2086 # one word an option
    if [ -n "$is_long" ]; then
        [ -n "$is_build" ] || stranger "$1"
        run_tests "$1" -p offproc-tests $(essential_tests) --test channel_ends --test forwarding $own --
    else
        cargo_for "$1" test --quiet --no-run -p offproc-tests $(essential_tests) $own
    fi
}

# The README's ten lines, and forwarding, in a crate of their own.
stranger() {
    local cargo
    cargo=$(mktemp)
    printf '#!/bin/sh\nexec "%s/tests/platforms/cargo-for" %s "$@"\n' "$root" "$1" > "$cargo"
    chmod +x "$cargo"
    CARGO=$cargo STRANGER_TARGET_DIR=$root/target run tests/stranger.sh --program
    rm "$cargo"
}

# Nothing of it can be linked here; with --long, the tests and examples as well as what is published, with all features.
# shellcheck disable=SC2046 # one word an option
type_check() {
    local selection
    selection=$(published)
    [ -z "$is_long" ] || selection="--workspace --all-targets --all-features"
    # shellcheck disable=SC2086 # one word an option
    cargo_for "$1" clippy --quiet $selection -- -D warnings
}
part_macos() { type_check "$1"; }
part_macos-intel() { type_check "$1"; }
part_freebsd() { type_check "$1"; }

# ---- The run

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failures=0 table=""
for part in "${chosen[@]}"; do
    read -r _ target how <<< "$(printf '%s\n' "${parts[@]}" | grep "^$part ")"
    printf '\n==== %s: %s, %s\n' "$part" "$target" "$how"
    began=$SECONDS
    # A shell of its own, which ends with the first command that fails. (Not in a condition: bash would ignore it.)
    set +e
    (
        set -e
        tests/platforms/setup "$target"
        "part_$part" "$target"
    ) 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    set -e
    # A part that only checks has none.
    passed=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    result=passed
    if [ "$status" != 0 ]; then
        result=FAILED failures=$((failures + 1))
    fi
    table+=$(printf '%-12s %-26s %-13s %-7s %5d tests passed, %4d s' "$part" "$target" "$how" "$result" "$passed" \
        $((SECONDS - began)))$'\n'
done
printf '\n==== Platforms\n%s' "$table"
[ $failures = 0 ]

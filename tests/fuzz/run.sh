#!/usr/bin/env bash
# Runs fuzz targets guided by coverage, one after the other: tests/fuzz/run.sh MINUTES [TARGET...]
#
# It takes a stable Rust and a C++ compiler. What is found on the way goes to target/fuzz/corpus; a crash, a hang or
# too much memory ends the run, and its input is left in target/fuzz/findings. `--keep` puts what adds coverage, made
# small, into the kept corpus: tests/fuzz/run.sh --keep [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

all=(parent_stream parent_shared worker_stream worker_shared fork_server log_pipe item_ends values)
minutes=${1:?"usage: $0 MINUTES|--keep [TARGET...]"}
shift
[ $# -gt 0 ] || set -- "${all[@]}"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
# What `cargo fuzz` sets, without the sanitizers, which a stable compiler does not have. Checks for overflow and the
# like are on.
export RUSTFLAGS="--cfg fuzzing --cfg offproc_fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks"
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target named, build scripts and macros are not built with these flags.
cargo build --quiet --release --target "$host" -p offproc-fuzz --features libfuzzer --bin fuzz
fuzz=$CARGO_TARGET_DIR/$host/release/fuzz
# The kept corpus is one file a target, and libFuzzer reads folders.
corpus() {
    RUSTFLAGS="" cargo run --quiet -p offproc-fuzz --bin corpus -- "$@"
}

for target; do
    found=$CARGO_TARGET_DIR/corpus/$target
    kept=$CARGO_TARGET_DIR/kept/$target
    findings=$CARGO_TARGET_DIR/findings
    rm -rf "$kept"
    mkdir -p "$found" "$findings"
    corpus unpack "$target" "$kept"
    export OFFPROC_FUZZ_TARGET=$target
    if [ "$minutes" = --keep ]; then
        small=$(mktemp -d)
        "$fuzz" -set_cover_merge=1 -use_counters=0 -max_len=1024 "$small" "$kept" "$found"
        corpus pack "$target" "$small"
        rm -r "$small"
        continue
    fi
    echo "======== $target, $minutes min"
    "$fuzz" -max_total_time=$((minutes * 60)) -timeout=300 -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="$findings/$target-" "$found" "$kept"
done

#!/usr/bin/env bash
# Measures everything and writes docs/benchmarks.md with its plots.
#
#   benches/run.sh                a few minutes, on a machine that does nothing else
#   benches/run.sh --quick        under a minute: shows that all of it works; the page is written below target/
#   benches/run.sh --no-python    leaves out the peers from PyPI
set -euo pipefail
cd "$(dirname "$0")/.."

length=--full
python=yes
for argument in "$@"; do
    case $argument in
    --quick) length=--quick ;;
    --no-python) python= ;;
    *)
        echo "usage: $0 [--quick] [--no-python]" >&2
        exit 2
        ;;
    esac
done

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/benchmarks" docs/benchmarks
results=$(cd "$target/benchmarks" && pwd)
rm -f "$results"/*.jsonl

patience=0
if [ $length = --full ]; then patience=60; fi
cargo bench -p offproc-bench --bench ratios -- $length --patience $patience --json "$results/ratios.jsonl"
cargo bench -p offproc-bench --features tracing --bench ratios -- $length --patience $patience \
    --json "$results/log-lines.jsonl" log-lines

if [ -n "$python" ]; then
    environment=$results/python
    if [ -x "$environment/bin/python" ] || python3 -m venv "$environment"; then
        peers="trio-parallel==1.3.0 loky==3.7.0 joblib==1.5.2"
        # shellcheck disable=SC2086
        if "$environment/bin/pip" install --quiet --disable-pip-version-check $peers; then
            "$environment/bin/python" benches/python_peers.py \
                $([ $length = --quick ] && echo --quick) "$results/python.jsonl"
        else
            echo "run: the peers from PyPI could not be installed: left out"
        fi
    else
        echo "run: no Python environment could be made: the peers from PyPI are left out"
    fi
fi

if [ $length = --full ]; then
    # Of a run of its own, which this one replaces.
    rm -f docs/benchmarks/streams-and-arrays.jsonl
    cp "$results"/*.jsonl docs/benchmarks/
    python3 benches/report.py
else
    python3 benches/report.py --into "$results" "$results"/*.jsonl
fi

#!/usr/bin/env python3
"""Writes docs/benchmarks.md and its plots from the results of the benchmark.

    benches/report.py [--into FOLDER] [RESULTS ...]

The results are those that `benches/run.sh` leaves in docs/benchmarks: of the runs here, and, where there are some, of
the peers from PyPI. Without arguments, those are read, and the page is
written beside them. No dependency but Python.
"""

import argparse
import json
import sys
from pathlib import Path

from plot import Line, Panel, Scale, decades, plot

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# One colour each in all the plots.
COLOURS = {
    "offproc": 0,
    "offproc, serde_bytes": 0,
    "ForkServer": 0,
    "offproc, stream": 1,
    "offproc, Vec<u8>": 1,
    "Spawn": 1,
    "spawn_blocking": 2,
    "four memcpys": 2,
    "Command": 2,
    "rayon": 3,
    "four copies, fresh memory": 3,
    "procspawn pool": 4,
    "procspawn::spawn": 4,
    "raw socketpair": 5,
    "fork": 5,
    "raw futex": 6,
    "raw futex, spinning": 7,
    "trio-parallel": 8,
    "offproc, SharedBytes": 6,
    "two threads that spin": 8,
    "serde_bytes": 0,
    "Vec<u8>": 1,
    "Vec<u32>": 2,
    "Vec<f64>": 4,
    "joblib": 4,
    "ProcessPoolExecutor": 5,
}

LABELS = {
    "Command": "Command, to the first byte",
    "Spawn": "offproc, Spawn",
    "ForkServer": "offproc, ForkServer",
    "fork": "offproc, fork",
    "spawn_blocking": "tokio spawn_blocking",
}

TITLES = {
    "warm": "A warm call",
    "paused": "A call after a pause",
    "smol": "Under smol",
    "throughput": "Many calls at once",
    "busy-share": "Jobs of 100 us",
    "map": "A function over many items",
    "bytes": "Bytes",
    "numbers": "Vectors of numbers",
    "shared-bytes": "Bytes that are not copied",
    "channel": "Items through a channel",
    "cold": "A worker's first call",
    "single-use": "Workers for one job each",
    "ticker": "The runtime meanwhile",
    "kill": "Getting rid of workers",
    "pace": "What spinning costs",
    "log-lines": "Lines that a job says",
    "idle": "Doing nothing",
    "memory": "Memory",
    "allocations": "Allocations",
    "instructions": "Instructions",
    "syscalls": "System calls",
    "python": "Beside Python's pools",
}


def time(nanos):
    for least, digits, unit in ((1e8, 0, "ms"), (1e6, 2, "ms"), (1e5, 0, "us"), (1e3, 1, "us")):
        if nanos >= least:
            return f"{nanos / (1e6 if unit == 'ms' else 1e3):.{digits}f} {unit}"
    return f"{nanos:.0f} ns"


def scale_time(nanos):
    for least, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if nanos >= least:
            return f"{nanos / least:g} {unit}"
    return f"{nanos:g} ns"


def scale_rate(rate):
    return f"{rate / 1e6:g} M" if rate >= 1e6 else f"{rate / 1e3:g} k" if rate >= 1e3 else f"{rate:g}"


def scale_size(size):
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def number(value):
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else f"{int(text):,}".replace(",", " ")


def table(head, rows, right=()):
    line = "|" + "|".join("---:" if column in right else "---" for column in range(len(head))) + "|"
    return "\n".join(["| " + " | ".join(head) + " |", line] + ["| " + " | ".join(row) + " |" for row in rows])


def of(results, kind, **wanted):
    return [r for r in results if r["kind"] == kind and all(r.get(key) == value for key, value in wanted.items())]


def legend_of(ways, dashed=()):
    entries = [(LABELS.get(way, way), COLOURS[way], COLOURS[way] == 0, False) for way in ways]
    return entries + [(name, index, False, True) for name, index in dashed]


def latency_plot(results, runtime):
    panels, ways = [], []
    measured = of(results, "latency", case="warm", runtime=runtime)
    if not measured:
        return None
    values = [nanos for result in measured for _, nanos in result["curve"]]
    low, high, ticks = decades(min(values), max(values), scale_time)
    for load, title in (("quiet", "quiet machine"), ("loaded", "one busy process for each CPU")):
        x = Scale(0.0, 0.999, [(0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")], "nines")
        x.label = "share of calls that took no longer"
        panel = Panel(f"{runtime}, {title}", x, Scale(low, high, ticks, label="time of a call"))
        for result in of(measured, "latency", load=load):
            way = result["way"]
            ways += [way] if way not in ways else []
            panel.lines.append(Line(result["curve"], COLOURS[way], COLOURS[way] == 0, marks=False))
            # Marks where a reader looks: at the middle, at 90 % and at 99 %.
            at = [point for point in result["curve"] if round(point[0], 3) in (0.5, 0.9, 0.99)]
            panel.lines.append(Line(at, COLOURS[way], COLOURS[way] == 0, path=False))
        panels.append(panel)
    return plot(panels, legend_of(ways))


def throughput_plot(results):
    measured = of(results, "throughput")
    if not measured:
        return None
    panels, ways = [], []
    rates = [result["per_second"] for result in measured]
    low, high, ticks = decades(min(rates), max(rates), scale_rate)
    tasks = sorted({result["tasks"] for result in measured})
    for runtime in dict.fromkeys(result["runtime"] for result in measured):
        x = Scale(tasks[0], tasks[-1], [(count, str(count)) for count in tasks], label="tasks that call")
        panel = Panel(runtime, x, Scale(low, high, ticks, label="no-op calls a second"))
        for way in dict.fromkeys(result["way"] for result in measured):
            ways += [way] if way not in ways else []
            for load in ("quiet", "loaded"):
                points = of(measured, "throughput", runtime=runtime, way=way, load=load)
                points = sorted((point["tasks"], point["per_second"]) for point in points)
                if points:
                    loaded = load == "loaded"
                    line = Line(points, COLOURS[way], COLOURS[way] == 0 and not loaded, loaded, marks=not loaded)
                    panel.lines.append(line)
        panels.append(panel)
    return plot(panels, legend_of(ways, [("the same on a loaded machine", COLOURS["offproc"])]), columns=4)


def bytes_plot(results):
    measured = of(results, "bytes")
    if not measured:
        return None
    low, high, ticks = decades(min(r["p50"] for r in measured), max(r["p50"] for r in measured), scale_time)
    sizes = sorted({result["size"] for result in measured})
    x = Scale(sizes[0], sizes[-1], [(size, scale_size(size)) for size in sizes[::2]], label="size")
    panel = Panel("there and back, p50", x, Scale(low, high, ticks, label="time"))
    ways = list(dict.fromkeys(result["way"] for result in measured))
    for way in ways:
        points = sorted((result["size"], result["p50"]) for result in of(measured, "bytes", way=way))
        panel.lines.append(Line(points, COLOURS[way], COLOURS[way] == 0))
    return plot([panel], legend_of(ways))


# What an item of a map takes, in seconds; in the order of the axis.
ITEMS = {"no-op": 0, "100 ns": 1e-7, "1 us": 1e-6, "10 us": 1e-5, "100 us": 1e-4, "1 ms": 1e-3}
WORKERS = 2


def map_plot(results):
    measured = [result for result in of(results, "map") if result["items"] in ITEMS]
    if not measured:
        return None
    rates = [result["per_second"] for result in measured]
    low, high, ticks = decades(min(rates), max(rates), scale_rate)
    places = {name: place for place, name in enumerate(ITEMS)}
    x = Scale(0, len(ITEMS) - 1, [(place, name) for name, place in places.items()], "linear", "time of an item")
    panel = Panel(f"items a second, {WORKERS} workers", x, Scale(low, high, ticks, label="items a second"))
    ways = list(dict.fromkeys(result["way"] for result in measured))
    for way in ways:
        points = sorted((places[r["items"]], r["per_second"]) for r in of(measured, "map", way=way))
        panel.lines.append(Line(points, COLOURS[way], COLOURS[way] == 0))
    # Those that two CPUs have the time for.
    most = [(places[name], WORKERS / seconds) for name, seconds in ITEMS.items()
            if seconds and low <= WORKERS / seconds <= high]
    panel.lines.append(Line(most, COLOURS["raw futex"], dashed=True, marks=False))
    return plot([panel], legend_of(ways, [(f"all the time of {WORKERS} CPUs in items", COLOURS["raw futex"])]))


def types_plot(results):
    shared = "offproc, SharedBytes"
    ways = list(dict.fromkeys(result["way"] for result in of(results, "numbers")))
    if not ways:
        return None
    sizes = sorted({result["size"] for result in of(results, "numbers")})
    measured = of(results, "numbers") + [r for r in of(results, "bytes", way=shared) if r["size"] in sizes]
    low, high, ticks = decades(min(r["p50"] for r in measured), max(r["p50"] for r in measured), scale_time)
    names = [(size, scale_size(size)) for size in sizes]
    x = Scale(sizes[0], max(sizes[-1], sizes[0] * 2), names, label="size")
    panel = Panel("there and back, p50", x, Scale(low, high, ticks, label="time"))
    ways += [shared] if of(measured, "bytes") else []
    for way in ways:
        points = sorted((result["size"], result["p50"]) for result in measured if result["way"] == way)
        panel.lines.append(Line(points, COLOURS[way], COLOURS[way] == 0))
    return plot([panel], legend_of(ways))


def cold_plot(results):
    measured = of(results, "cold")
    if not measured:
        return None
    low, high, ticks = decades(min(r["p50"] for r in measured), max(r["p50"] for r in measured), scale_time)
    sizes = sorted({result["resident"] for result in measured})
    names = [(size, "0" if size == 0 else f"{size / GIB:g} GiB") for size in sizes]
    x = Scale(sizes[0], max(sizes[-1], 1), names, "linear", "memory that the parent has in use")
    panel = Panel("from the call to the result, p50", x, Scale(low, high, ticks, label="time"))
    ways = list(dict.fromkeys(result["way"] for result in measured))
    for way in ways:
        points = sorted((result["resident"], result["p50"]) for result in of(measured, "cold", way=way))
        panel.lines.append(Line(points, COLOURS[way], COLOURS[way] == 0))
    return plot([panel], legend_of(ways))


def python_figures(results):
    """The bars against trio-parallel, which runs in a process of its own."""
    figures = []
    for load, bar in (("quiet", 60), ("loaded", 15)):
        peers = of(results, "latency", runtime="Python", load=load, way="trio-parallel")
        for runtime in ("tokio multi-thread", "tokio current-thread"):
            ours = of(results, "latency", case="warm", runtime=runtime, load=load, way="offproc")
            if peers and ours:
                ratio = peers[0]["p50"] / ours[0]["p50"]
                name = f"warm no-op p50, {runtime}, {load}: faster than trio-parallel"
                source = f"{time(peers[0]['p50'])} / {time(ours[0]['p50'])}"
                figures.append({"kind": "figure", "scenario": "python", "name": name, "value": ratio, "unit": "×",
                                "bar": f"≥ {bar}", "reached": ratio >= bar, "from": source})
    return figures + map_figures(results)


def map_figures(results):
    """The bar against joblib."""
    rate = {result["way"]: result["per_second"] for result in of(results, "map", items="no-op")}
    if "offproc" not in rate or "joblib" not in rate:
        return []
    ratio = rate["offproc"] / rate["joblib"]
    source = f"{scale_rate(round(rate['offproc'], -3))} / {scale_rate(round(rate['joblib'], -3))} items a second"
    return [{"kind": "figure", "scenario": "python", "name": "map of no-op items, 2 workers: faster than joblib",
             "value": ratio, "unit": "×", "bar": "≥ 20", "reached": ratio >= 20, "from": source}]


def figures_table(figures):
    rows = []
    for figure in figures:
        mark = {True: "✓", False: "✗", None: ""}[figure["reached"]]
        value = f"{number(figure['value'])} {figure['unit']}".strip()
        rows.append([figure["name"], value, figure["bar"], mark, figure["from"]])
    return table(["figure", "measured", "bar", "", "from"], rows, right=(1, 2))


def latency_table(results, case):
    rows = []
    for result in of(results, "latency", case=case):
        row = [result["runtime"], result["load"], LABELS.get(result["way"], result["way"])]
        rows.append(row + [time(result[q]) for q in ("p50", "p90", "p99", "max")])
    head = ["runtime", "machine", "way", "p50", "p90", "p99", "worst"]
    return table(head, rows, right=(3, 4, 5, 6)) if rows else ""


def spread_table(results, kind, first, name):
    rows = []
    for result in of(results, kind):
        row = [name(result), LABELS.get(result["way"], result["way"])]
        rows.append(row + [time(result[q]) for q in ("p50", "p90", "p99")])
    return table([first, "way", "p50", "p90", "p99"], rows, right=(2, 3, 4)) if rows else ""


def map_table(results):
    measured = of(results, "map")
    ways = list(dict.fromkeys(result["way"] for result in measured))
    rows = []
    for items in dict.fromkeys(result["items"] for result in sorted(measured, key=lambda r: ITEMS.get(r["items"], 1))):
        rates = {result["way"]: number(result["per_second"]) for result in of(measured, "map", items=items)}
        rows.append([items] + [rates.get(way, "") for way in ways])
    head = ["time of an item"] + [LABELS.get(way, way) for way in ways]
    return table(head, rows, right=range(1, len(head))) if rows else ""


def details(summary, text):
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>\n" if text else ""


def page(results, plots):
    machine = of(results, "machine")[0]
    figures = of(results, "figure") + python_figures(results)
    held = [figure for figure in figures if figure["reached"] is not None]
    reached = sum(figure["reached"] for figure in held)
    kind = "a virtual machine" if machine["virtual"] else "bare metal"
    disturbed = [(r["scenario"], r["others"]) for r in of(results, "begin") if r["others"] > 0.05]
    out = [
        "# Benchmarks",
        "",
        "<!-- Written by benches/report.py from docs/benchmarks/*.jsonl: change those, or benches/notes.md. -->",
        "",
        "Ours beside its peers and the raw limits of the system. All of a group are measured in one run, in turns of a "
        "few calls each, so that what disturbs one disturbs all: believe the ratios more than the times.",
        "",
        f"Measured on {machine['cpu']}, {machine['cpus']} CPUs ({kind}), {machine['memory_gib']:.0f} GiB, "
        f"{machine['kernel']}, {machine['rustc']}, offproc {machine['offproc']}. "
        f"**{reached} of {len(held)} bars are reached.**",
        "",
    ]
    if machine["quick"]:
        out += ["> This was a quick run: it shows that all of it works, and little more.", ""]
    if disturbed:
        listed = ", ".join(f"{name} ({share:.0%})" for name, share in disturbed)
        out += [f"> The machine was not quiet: others had a share of its CPUs at the start of {listed}.", ""]
    out += ["`benches/run.sh` measures everything anew and writes this page; `benches/run.sh --quick` is for CI.", ""]
    out += [(ROOT / "benches" / "method.md").read_text(), ""]
    pictures = {
        "warm": [("latency-multi", "Time of a warm no-op call, by share of calls, tokio multi-thread"),
                 ("latency-current", "Time of a warm no-op call, by share of calls, tokio current-thread")],
        "throughput": [("throughput", "No-op calls a second, by number of tasks")],
        "map": [("map", "Items a second of a map, by the time of an item")],
        "bytes": [("bytes", "Time for bytes there and back, by size")],
        "numbers": [("types", "Time for vectors and buffers there and back, by type and size")],
        "cold": [("cold", "Time of a worker's first call, by the parent's memory")],
    }
    more = {
        "warm": details("All times", latency_table(results, "warm")),
        "paused": details("All times", latency_table(results, "paused")),
        "bytes": details("All times", spread_table(results, "bytes", "size", lambda r: scale_size(r["size"]))),
        "map": details("All rates", map_table(results)),
        "numbers": details("All times", spread_table(results, "numbers", "size", lambda r: scale_size(r["size"]))),
        "cold": details("All times", spread_table(
            results, "cold", "parent's memory", lambda r: scale_size(r["resident"]) if r["resident"] else "its own")),
    }
    for scenario, title in TITLES.items():
        ours = [figure for figure in figures if figure["scenario"] == scenario]
        if not ours:
            continue
        out += [f"## {title}", ""]
        out += [f"![{text}](benchmarks/{name}.svg)\n" for name, text in pictures.get(scenario, []) if name in plots]
        out += [figures_table(ours), "", more.get(scenario, "")]
    cold = of(results, "python-cold")
    if cold:
        rows = [[result["way"]] + [time(result[q]) for q in ("p50", "p90", "p99")] for result in cold]
        out += ["A worker's first call in Python, pool included:", ""]
        out += [table(["way", "p50", "p90", "p99"], rows, right=(1, 2, 3)), ""]
    out += [(ROOT / "benches" / "notes.md").read_text()]
    return "\n".join(out).replace("\n\n\n", "\n\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, default=DOCS)
    parser.add_argument("results", type=Path, nargs="*")
    arguments = parser.parse_args()
    files = arguments.results or sorted((DOCS / "benchmarks").glob("*.jsonl"))
    # The order of results is that of legends and tables: ours come first.
    files.sort(key=lambda file: file.stem != "ratios")
    results = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    if not of(results, "machine"):
        sys.exit("report: no results; run benches/run.sh")
    plots = {
        "latency-multi": latency_plot(results, "tokio multi-thread"),
        "latency-current": latency_plot(results, "tokio current-thread"),
        "throughput": throughput_plot(results),
        "map": map_plot(results),
        "bytes": bytes_plot(results),
        "types": types_plot(results),
        "cold": cold_plot(results),
    }
    plots = {name: text for name, text in plots.items() if text}
    (arguments.into / "benchmarks").mkdir(exist_ok=True)
    for name, text in plots.items():
        (arguments.into / "benchmarks" / f"{name}.svg").write_text(text)
    (arguments.into / "benchmarks.md").write_text(page(results, plots))
    print(f"report: {len(plots)} plots and the page {arguments.into / 'benchmarks.md'}")


if __name__ == "__main__":
    main()

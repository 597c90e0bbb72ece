#!/usr/bin/env python3
"""Measures the pools of Python's world: trio-parallel, loky and concurrent.futures.

    benches/python_peers.py [--quick] FILE

Writes results to FILE, one JSON value a line, for benches/report.py. Needs trio-parallel, loky and joblib from PyPI;
`benches/run.sh` puts them into an environment of their own. As in the Rust part, calls are made in turns of a few.
"""

import argparse
import concurrent.futures
import contextlib
import ctypes
import json
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import warnings

import joblib
import loky
import trio
import trio_parallel


def noop():
    pass


def echo(data):
    return data


@contextlib.contextmanager
def loaded():
    """One busy process for each CPU, gone at the end whatever happens."""

    def die_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=die_with_parent)
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        time.sleep(0.2)
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def summary(samples, curve=False):
    samples = sorted(samples)

    def quantile(share):
        return samples[max(math.ceil(share * len(samples)), 1) - 1]

    summary = {
        "n": len(samples), "p50": quantile(0.5), "p90": quantile(0.9), "p99": quantile(0.99),
        "min": samples[0], "max": samples[-1],
    }
    if curve:
        shares = [percent / 50 for percent in range(1, 50)] + [0.99, 0.995, 0.998, 0.999]
        summary["curve"] = [[share, quantile(share)] for share in shares]
    return summary


async def timed(call):
    begin = time.perf_counter_ns()
    await call()
    return time.perf_counter_ns() - begin


async def warm(rounds):
    """Samples by way."""
    process = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    thread = concurrent.futures.ThreadPoolExecutor(1)
    reusable = loky.get_reusable_executor(max_workers=1)

    def blocking(executor):
        async def call():
            executor.submit(noop).result()

        return call

    ways = {
        "trio-parallel": lambda: trio_parallel.run_sync(noop),
        "trio threads": lambda: trio.to_thread.run_sync(noop),
        "loky": blocking(reusable),
        "ProcessPoolExecutor": blocking(process),
        "ThreadPoolExecutor": blocking(thread),
    }
    samples = {way: [] for way in ways}
    for call in ways.values():
        for _ in range(16):
            await call()
    dice = random.Random(1)
    for _ in range(rounds):
        for way in dice.sample(list(ways), len(ways)):
            turn = [await timed(ways[way]) for _ in range(32)]
            samples[way] += turn[4:]
    process.shutdown()
    thread.shutdown()
    reusable.shutdown()
    return samples


async def cold(repeats):
    """Samples of a worker's first call, the pool's own start included."""
    samples = {}

    async def through_trio_parallel(worker_type):
        async with trio_parallel.open_worker_context(worker_type=worker_type) as context:
            return await timed(lambda: context.run_sync(noop))

    def through_executor(make):
        begin = time.perf_counter_ns()
        executor = make()
        executor.submit(noop).result()
        took = time.perf_counter_ns() - begin
        executor.shutdown()
        return took

    for _ in range(repeats):
        for worker_type in trio_parallel.WorkerType:
            way = f"trio-parallel, {worker_type.value}"
            samples.setdefault(way, []).append(await through_trio_parallel(worker_type))
        for method in ("spawn", "forkserver", "fork"):
            context = multiprocessing.get_context(method)
            took = through_executor(lambda: concurrent.futures.ProcessPoolExecutor(1, context))
            samples.setdefault(f"ProcessPoolExecutor, {method}", []).append(took)
        samples.setdefault("loky", []).append(through_executor(lambda: loky.ProcessPoolExecutor(1)))
    return samples


async def bytes_there_and_back(quick):
    """Samples by size, through trio-parallel."""
    samples = {}
    for power in range(10, 27, 2):
        data = bytes(1 << power)
        await trio_parallel.run_sync(echo, data)
        repeats = 3 if quick or power > 22 else 20
        samples[1 << power] = [await timed(lambda: trio_parallel.run_sync(echo, data)) for _ in range(repeats)]
    return samples


def nothing(item):
    return item


def maps(count):
    """Items a second of maps over no-op items with two processes, by way: each with the chunks that are best for it."""
    per_second = {}

    def measure(way, work):
        work()  # starts its workers
        begin = time.perf_counter()
        results = work()
        took = time.perf_counter() - begin
        assert len(results) == count
        per_second[way] = max(per_second.get(way, 0), count / took)

    items = range(count)
    for batch in ("auto", 10_000, 100_000):
        with joblib.Parallel(n_jobs=2, batch_size=batch) as parallel:
            measure("joblib", lambda: parallel(joblib.delayed(nothing)(item) for item in items))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for chunk in (1_000, 10_000, 100_000):
            measure("ProcessPoolExecutor", lambda: list(pool.map(nothing, items, chunksize=chunk)))
    return per_second


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("file")
    arguments = parser.parse_args()
    # Forking a process with threads is what is measured there, warned of or not.
    warnings.simplefilter("ignore", DeprecationWarning)
    rounds = 10 if arguments.quick else 100
    with open(arguments.file, "w") as file:

        def record(kind, **result):
            print(json.dumps({"kind": kind, "scenario": "python", **result}), file=file, flush=True)

        for load in ("quiet", "loaded"):
            with loaded() if load == "loaded" else contextlib.nullcontext():
                for way, samples in trio.run(warm, rounds).items():
                    record("latency", case="warm", runtime="Python", load=load, way=way, **summary(samples, True))
        for way, samples in trio.run(cold, 2 if arguments.quick else 10).items():
            record("python-cold", way=way, **summary(samples))
        for way, per_second in maps(100_000 if arguments.quick else 1_000_000).items():
            record("map", way=way, items="no-op", per_second=per_second)
        for size, samples in trio.run(bytes_there_and_back, arguments.quick).items():
            record("bytes", way="trio-parallel", size=size, **summary(samples))
    print(f"python peers: {arguments.file}")


if __name__ == "__main__":
    main()

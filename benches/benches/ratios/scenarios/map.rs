//! `map` over many items, beside rayon's `par_iter` in the same run: items that do nothing, of 1 us, of 100 us, and of
//! very different lengths.

use super::Outcome;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::stats::median;
use offproc::WorkerContext;
use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Workers on our side, threads on the other.
const WORKERS: usize = 2;
/// Of the lengths that are drawn.
const SEED: u64 = 15;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let context = WorkerContext::builder().max_concurrency(WORKERS).open()?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build()?;
    context.warm_up(WORKERS).wait()?;
    let turns = options.pick(2, 5);

    let items: Vec<u64> = (0..options.pick(200_000, 1_000_000)).collect();
    let count = items.len() as f64;
    let compare = |f: fn(u64) -> u64| -> Result<(f64, f64), super::Failure> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            let begin = Instant::now();
            let mapped = context.map(f, items.iter().copied()).wait().collect::<Result<Vec<_>, _>>()?;
            ours.push(count / begin.elapsed().as_secs_f64());
            let begin = Instant::now();
            let f = black_box(f);
            let expected: Vec<_> = threads.install(|| items.par_iter().map(|item| f(*item)).collect());
            theirs.push(count / begin.elapsed().as_secs_f64());
            assert!(mapped == expected, "they are the same results");
        }
        Ok((median(ours), median(theirs)))
    };

    let (ours, theirs) = compare(nothing)?;
    let what = format!("map of {count} no-op items, {WORKERS} workers");
    record(output, "no-op", ours, theirs);
    let from = format!("rayon's par_iter: {theirs:.0}/s, {:.3} ×", ours / theirs);
    output.figure(what, ours, "/s", Bar::AtLeast(10e6), from);

    let (microsecond, tenth) = calibrated();
    let (ours, theirs) = compare(microsecond)?;
    let what = format!("map of {count} items of 1 us, {WORKERS} workers: against rayon's par_iter");
    record(output, "1 us", ours, theirs);
    output.figure(what, ours / theirs, "×", Bar::AtLeast(0.7), format!("{ours:.0} / {theirs:.0} items a second"));

    let (ours, theirs) = compare(tenth)?;
    record(output, "100 ns", ours, theirs);
    let per_second = |share: f64, time: Duration| share * WORKERS as f64 / time.as_secs_f64();
    for (name, micros, count) in [("10 us", 10, options.pick(5000, 50_000)), ("1 ms", 1000, options.pick(100, 1000))] {
        let items = vec![Duration::from_micros(micros); count];
        let ours = share_of_map(&context, &items, turns, false)?;
        let theirs = share_of_rayon(&threads, &items, turns);
        record(output, name, per_second(ours, items[0]), per_second(theirs, items[0]));
    }

    let items = vec![Duration::from_micros(100); options.pick(1000, 10_000)];
    let ours = share_of_map(&context, &items, turns, false)?;
    let theirs = share_of_rayon(&threads, &items, turns);
    record(output, "100 us", per_second(ours, items[0]), per_second(theirs, items[0]));
    let what = format!("map of {} items of 100 us, {WORKERS} workers: share of two CPUs in jobs", items.len());
    output.figure(what, ours * 100.0, "%", Bar::AtLeast(97.0), format!("rayon: {:.1} %", theirs * 100.0));

    let items = log_uniform(options.pick(200, 2000), Duration::from_micros(1), Duration::from_millis(100));
    let ours = share_of_map(&context, &items, options.pick(1, 3), true)?;
    let theirs = share_of_rayon(&threads, &items, 1);
    let what = format!("map of {} items of 1 us to 100 ms, unordered: against sum / workers", items.len());
    output.figure(what, 1.0 / ours, "×", Bar::AtMost(1.1), format!("rayon: {:.2} ×", 1.0 / theirs));
    context.close().wait()?;
    Ok(())
}

/// Items a second, by what an item takes.
fn record(output: &mut Output, items: &str, ours: f64, theirs: f64) {
    for (way, per_second) in [("offproc", ours), ("rayon", theirs)] {
        output.record("map", json!({ "way": way, "items": items, "per_second": per_second }));
    }
}

fn nothing(item: u64) -> u64 {
    item
}

type Job = fn(u64) -> u64;

/// Functions that take about a microsecond on this machine, and a tenth of one: a function has no other argument than
/// its item, so there is one for each number of steps.
fn calibrated() -> (Job, Job) {
    const STEPS: u32 = 10_000_000;
    let begin = Instant::now();
    black_box(steps(1, STEPS));
    let in_a_microsecond = f64::from(STEPS) / (begin.elapsed().as_secs_f64() * 1e6);
    macro_rules! sizes {
        ($($tens:literal)*) => { [$(($tens * 10, so_many::<{ $tens * 10 }> as Job, so_many::<$tens> as Job)),*] };
    }
    let sizes = sizes![15 20 25 30 35 40 50 60 70 80 90 100 120 140];
    let distance = |steps: u32| (f64::from(steps) / in_a_microsecond).ln().abs();
    let nearest = sizes.into_iter().min_by(|a, b| distance(a.0).total_cmp(&distance(b.0)));
    let (_, microsecond, tenth) = nearest.expect("there are some");
    (microsecond, tenth)
}

fn so_many<const STEPS: u32>(item: u64) -> u64 {
    steps(item, STEPS)
}

fn steps(item: u64, count: u32) -> u64 {
    (0..count).fold(item, |state, _| black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
}

/// Uses the CPU for so long; time in which others have it does not count.
fn burn(time: Duration) {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("used time is positive");
    let begin = used();
    while used() - begin < time {
        std::hint::spin_loop();
    }
}

/// The time that items had a CPU, as a share of what the workers' CPUs have.
fn share_of_map(
    context: &WorkerContext,
    items: &[Duration],
    turns: usize,
    unordered: bool,
) -> Result<f64, super::Failure> {
    let mut shares = Vec::new();
    for _ in 0..turns {
        let begin = Instant::now();
        let map = context.map(burn, items.iter().copied());
        let map = if unordered { map.unordered() } else { map };
        map.wait().collect::<Result<(), _>>()?;
        shares.push(share(items, begin.elapsed()));
    }
    Ok(median(shares))
}

fn share_of_rayon(threads: &rayon::ThreadPool, items: &[Duration], turns: usize) -> f64 {
    let turn = |_| {
        let begin = Instant::now();
        threads.install(|| items.par_iter().for_each(|time| burn(*time)));
        share(items, begin.elapsed())
    };
    median((0..turns).map(turn).collect())
}

fn share(items: &[Duration], took: Duration) -> f64 {
    items.iter().sum::<Duration>().as_secs_f64() / (took.as_secs_f64() * WORKERS as f64)
}

/// Lengths whose logarithms are equally likely.
fn log_uniform(count: usize, least: Duration, most: Duration) -> Vec<Duration> {
    let mut state = SEED;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let span = most.as_secs_f64() / least.as_secs_f64();
    (0..count).map(|_| least.mul_f64(span.powf(draw()))).collect()
}

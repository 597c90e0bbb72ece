//! Chaos: all kinds of calls from all runtimes on all kinds of workers, which crash, hang, are killed and stopped at
//! random. Then exact accounting: every call ended once, every job ran as often as its call says, counters agree, and
//! nothing is left: no process, zombie, descriptor, mapping or memory.
//!
//! | variable | default | |
//! |---|---|---|
//! | `OFFPROC_CHAOS_CALLS` | | ends after so many calls |
//! | `OFFPROC_CHAOS_MINUTES` | 0.4 | ends after so much time, where no number of calls is given |
//! | `OFFPROC_CHAOS_SEED` | of the time | a number; the same one makes the same choices, though not at the same moments |
//!
//! The report is printed at the end (`-- --nocapture`), and after each round to the file `OFFPROC_CHAOS_LOG`.

mod audit;
mod jobs;
mod lane;
mod ledger;
mod monkey;
mod plan;
mod pools;
mod progress;

use audit::{Record, Tally};
use fastrand::Rng;
use futures::future::{join_all, try_join_all};
use ledger::{LINES, Ledger};
use monkey::Monkey;
use offproc::{configure_default_context, current_default_worker_limiter, default_context_statistics};
use offproc_tests::process::Family;
use offproc_tests::scratch::{Scratch, append};
use offproc_tests::{Executor, isolate};
use pools::Pools;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Callers side by side in each runtime.
const LANES: usize = 8;

/// What glibc keeps for later, in an arena and a cache for each thread, would hide what is in use.
const ALLOCATOR: &str = "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072:glibc.malloc.tcache_count=0";

/// Warm-up is a tenth of the rounds, and at least so many.
const WARM_UP: usize = 2;

/// What one round may differ from another by, in KiB: a buffer that a thread keeps.
const NOISE: usize = 2048;

const LANE_CALLS: usize = LINES / LANES / Executor::ALL.len();

#[test]
fn nothing_is_lost_and_nothing_left() {
    let longest = Duration::from_secs(if calls().is_some() || minutes() > 1.0 { 24 * 3600 } else { 900 });
    // Printing where each panic was would take most of the time.
    let environment = [("GLIBC_TUNABLES", ALLOCATOR), ("RUST_BACKTRACE", "0")];
    isolate::run_within(longest, &environment, concat!(module_path!(), "::nothing_is_lost_and_nothing_left"), chaos);
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn calls() -> Option<u64> {
    setting("OFFPROC_CHAOS_CALLS")
}

fn minutes() -> f64 {
    setting("OFFPROC_CHAOS_MINUTES").unwrap_or(0.4)
}

fn say(text: &str) {
    println!("{text}");
    if let Ok(path) = std::env::var("OFFPROC_CHAOS_LOG") {
        append(&path, &format!("{text}\n"));
    }
}

fn chaos() {
    let seed = setting("OFFPROC_CHAOS_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as u64);
    say(&format!("OFFPROC_CHAOS_SEED={seed}"));
    // Cores of crashed workers would only cost time.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).expect("less is always allowed");
    let scratch = Scratch::new();
    let path = Ledger::create(&scratch);
    configure_default_context(pools::builder(
        offproc_tests::WorkerKind::Spawn,
        offproc::Transport::SharedMemory,
        &path,
    ))
    .expect("it has no worker yet");
    progress::watch();

    let (began, calls, minutes) = (Instant::now(), calls(), minutes());
    let mut tally = Tally::default();
    let mut rng = Rng::with_seed(seed);
    let mut residents = Vec::new();
    let is_over = |tally: &Tally, rounds: usize| match calls {
        Some(calls) => tally.calls >= calls,
        None => began.elapsed().as_secs_f64() >= minutes * 60.0 && rounds >= 2 * WARM_UP,
    };
    while !is_over(&tally, residents.len()) {
        round(&mut rng, &path, &mut tally);
        let before = resident();
        give_back_free_memory();
        residents.push(resident());
        say(&format!(
            "round {}, {} s: {tally}; resident {before} KiB, {} KiB of it in use; {} mappings",
            residents.len(),
            began.elapsed().as_secs(),
            resident(),
            mappings("").len(),
        ));
    }
    // The first tenth is to warm up in.
    let part = (residents.len() / 10).max(WARM_UP);
    let (warm, end) = (median(&residents[part..2 * part]), median(&residents[residents.len() - part..]));
    say(&format!(
        "{} workers killed or crashed; resident after warm-up {warm} KiB, at the end {end} KiB",
        tally.deaths()
    ));
    // In a short run, one buffer more or less is more than that.
    let noise = if part > WARM_UP { 0 } else { NOISE };
    assert!(end <= warm + warm / 20 + noise, "the memory in use has grown from {warm} to {end} KiB: {residents:?}");
}

fn median(numbers: &[usize]) -> usize {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

fn round(rng: &mut Rng, path: &str, tally: &mut Tally) {
    Ledger::get().clear();
    let limiter = current_default_worker_limiter();
    let pools = Arc::new(Pools::open(path));
    let monkey = Monkey::let_loose(rng.fork(), limiter.clone());
    let threads: Vec<_> = Executor::ALL
        .into_iter()
        .enumerate()
        .map(|(e, executor)| {
            let lanes: Vec<_> = (e * LANES..(e + 1) * LANES)
                .map(|lane| {
                    let ids = (lane * LANE_CALLS) as u32..((lane + 1) * LANE_CALLS) as u32;
                    lane::lane(rng.fork(), ids, Arc::clone(&pools), path.to_owned())
                })
                .collect();
            std::thread::spawn(move || executor.block_on(side_by_side(executor, lanes)))
        })
        .collect();
    let records: Vec<Record> =
        threads.into_iter().flat_map(|thread| thread.join().expect("a runtime")).flatten().collect();
    let deeds = monkey.catch();
    let reported = quiesce(&pools);
    assert_eq!(records.len(), LINES, "every call has ended, once");
    audit::check(&records, &deeds, tally);
    tally.monkey(&deeds);
    tally.reported_at_close += reported;
}

async fn side_by_side(
    executor: Executor,
    lanes: Vec<impl Future<Output = Vec<Record>> + Send + 'static>,
) -> Vec<Vec<Record>> {
    match executor {
        Executor::TokioCurrentThread | Executor::TokioMultiThread => {
            try_join_all(lanes.into_iter().map(tokio::spawn)).await.expect("no panics")
        }
        Executor::AsyncStd => join_all(lanes.into_iter().map(async_std::task::spawn)).await,
        Executor::Smol => join_all(lanes.into_iter().map(smol::spawn)).await,
        Executor::FuturesBlockOn => join_all(lanes).await,
    }
}

/// Waits until nothing runs any more, and compares all counters with what the kernel says. Returns how many deaths only
/// `close` reported.
fn quiesce(pools: &Pools) -> u64 {
    let reported = pools.contexts.iter().map(|context| {
        let closed = futures::executor::block_on(context.close());
        let left = context.statistics();
        assert_eq!((left.idle_workers, left.running_workers, left.starting_workers), (0, 0, 0));
        closed.err().map_or(0, |e| e.count() as u64)
    });
    let reported = reported.sum();
    let limiter = current_default_worker_limiter();
    progress::until(|| limiter.borrowed_tokens() == 0, || format!("tokens were not given back: {limiter:?}"));
    progress::until(|| pools.narrow.borrowed_tokens() == 0, || format!("nor here: {:?}", pools.narrow));
    let default = || default_context_statistics();
    progress::until(
        || default().running_workers + default().starting_workers == 0,
        || format!("the default context: {:?}", default()),
    );
    progress::until(
        || Family::now().pids().len() == default().idle_workers,
        || format!("processes are left: {:?}, and the default context has {:?}", Family::now(), default()),
    );
    // The portable build shares none.
    let shares = usize::from(!cfg!(offproc_portable));
    progress::until(
        || memories().len() == shares * default().idle_workers,
        || format!("memory is left: {:?}, and the default context has {:?}", mappings(MEMORY), default()),
    );
    reported
}

/// What the memory that is shared with a worker is called.
const MEMORY: &str = "memfd:offproc";

/// The inodes of the memory that this process shares with workers, each of which is mapped in two pieces.
fn memories() -> BTreeSet<String> {
    mappings(MEMORY).iter().filter_map(|line| line.split_whitespace().nth(4)).map(str::to_owned).collect()
}

/// The mappings of this process, of those that contain a text.
fn mappings(text: &str) -> Vec<String> {
    let all = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// To the system, as far as the allocator can.
fn give_back_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// In KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has some");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

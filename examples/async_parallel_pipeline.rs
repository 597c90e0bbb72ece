//! Three stages at work at the same time, with one limiter that keeps the fast from running ahead
//! of the slow; and a race, in which the first result wins and the other jobs are killed.
//!
//! ```sh
//! cargo run --release --example async_parallel_pipeline
//! ```

use std::cell::Cell;
use std::time::{Duration, Instant};
use std::{path::Path, process};

use async_channel::{Receiver, Sender};
use futures_util::future::{select_all, try_join_all};
use futures_util::stream::{StreamExt, TryStreamExt};
use offproc::{Error, Limiter, Permit, WorkerContext, current_default_worker_limiter, run_sync};
use serde_bytes::ByteBuf;
use tokio::time::{sleep, timeout};

const BLOCKS: u32 = 60;
const BLOCK: usize = 1 << 20;
const RACERS: u64 = 4;
/// How many leading zeros the race is for. One number in 2^28 has them.
const ZEROS: u32 = 28;

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

// One thread is enough here: workers do the work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pipeline().await?;
    println!();
    race().await
}

/// How many blocks there are anywhere in the pipeline, and how many there were at most.
#[derive(Default)]
struct Gauge {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Gauge {
    fn up(&self) {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
    }

    fn down(&self) {
        self.now.set(self.now.get() - 1);
    }
}

async fn pipeline() -> Result<(), Error> {
    // Twice as many blocks as CPUs, so that a worker that is done finds the next one ready.
    //
    // Not the limiter of the calls: a block that holds a permit would then wait for another one,
    // which another block holds, which waits as well.
    let limiter = Limiter::new(2 * current_default_worker_limiter().total_tokens());
    // The channels need no bound: each block in them holds a permit, from its first stage through
    // its last. So there is one number to choose, not one for every channel.
    let (to_transform, blocks) = async_channel::unbounded();
    let (to_consume, digests) = async_channel::unbounded();

    let gauge = Gauge::default();
    let start = Instant::now();
    let producing = async {
        produce(to_transform, &limiter, &gauge).await;
        Ok(())
    };
    let consuming = async { Ok(consume(digests, &gauge).await) };
    let ((), (), mut consumed) = tokio::try_join!(producing, transform(blocks, to_consume), consuming)?;

    let (most, limit) = (gauge.most.get(), limiter.total_tokens());
    println!("{} blocks in {:.0?}; at most {most} at once, of {limit} allowed", consumed.len(), start.elapsed());
    // They come as they are ready; each is there, once.
    consumed.sort();
    assert!(consumed.iter().map(|&(n, _)| n).eq(0..BLOCKS));
    assert_eq!(consumed[7].1, digest(&[7; BLOCK]));
    assert_eq!(most, limit, "the producer was as far ahead as it may, and no further");
    assert_eq!(limiter.borrowed_tokens(), 0);
    Ok(())
}

/// Fast: without a limit it would have all blocks in memory before the first one is consumed.
async fn produce(blocks: Sender<(u32, ByteBuf, Permit)>, limiter: &Limiter, gauge: &Gauge) {
    for n in 0..BLOCKS {
        let permit = limiter.acquire().await;
        gauge.up();
        let block = ByteBuf::from(vec![n as u8; BLOCK]);
        if blocks.send((n, block, permit)).await.is_err() {
            return;
        }
    }
}

/// Transforms all blocks that are here at once; the default limiter bounds how many of them compute at once. The first
/// error ends this stage, and `try_join!` the others.
async fn transform(blocks: Receiver<(u32, ByteBuf, Permit)>, digests: Sender<(u32, u64, Permit)>) -> Result<(), Error> {
    let digests = &digests;
    let transform_one = |(n, block, permit)| async move {
        let digest = run_sync(|block: ByteBuf| digest(&block), block).kill_on_cancel(true).await?;
        // An error only if the consumer has ended.
        let _ = digests.send((n, digest, permit)).await;
        Ok(())
    };
    blocks.map(Ok).try_for_each_concurrent(None, transform_one).await
}

/// Slow, as a database may be. Only here does a block give its permit back.
async fn consume(digests: Receiver<(u32, u64, Permit)>, gauge: &Gauge) -> Vec<(u32, u64)> {
    let mut consumed = Vec::new();
    while let Ok((n, found, permit)) = digests.recv().await {
        sleep(Duration::from_millis(5)).await;
        consumed.push((n, found));
        gauge.down();
        drop(permit);
    }
    consumed
}

/// Tries each `RACERS`th number until one has the digest that is looked for, however long it takes.
fn search(first: u64) -> u64 {
    (first..).step_by(RACERS as usize).find(is_found).expect("there are numbers enough")
}

fn is_found(n: &u64) -> bool {
    digest(&n.to_le_bytes()).leading_zeros() >= ZEROS
}

async fn race() -> Result<(), Box<dyn std::error::Error>> {
    // A context of its own, so that its statistics are those of the race.
    let context = WorkerContext::builder().open()?;
    // All are to run at once, even on fewer CPUs.
    let limiter = Limiter::new(RACERS as usize);
    // Four calls at once start four workers, which then wait in the cache; we note their names.
    let racers = (0..RACERS).map(|_| context.run_sync(|()| process::id(), ()).limiter(&limiter).into_future());
    let racers = try_join_all(racers).await?;
    println!("racers {racers:?} look for a number whose digest begins with {ZEROS} zeros");

    let start = Instant::now();
    let search_from = |n| context.run_sync(search, n).limiter(&limiter).kill_on_cancel(true).into_future();
    let (winner, _, others) = select_all((0..RACERS).map(search_from)).await;
    let found = winner?;
    println!("found {found} after {:.0?}", start.elapsed());
    assert!(is_found(&found));
    assert_eq!((others.len(), context.statistics().running_workers), (3, 3), "the others still search");

    // They never check whether their result is still wanted, and need not: before `drop` returns, it has sent them
    // SIGKILL (TerminateProcess on Windows).
    let start = Instant::now();
    drop(others);
    println!("killed the others in {:.0?}", start.elapsed());
    let statistics = context.statistics();
    assert_eq!((statistics.running_workers, statistics.idle_workers), (0, 1));
    assert_eq!(limiter.available_tokens(), RACERS as usize, "their tokens are back");

    // A process that was sent a signal may still be there for a moment; the system ends it without our help.
    if cfg!(target_os = "linux") {
        let alive = || racers.iter().filter(|racer| Path::new(&format!("/proc/{racer}")).exists()).count();
        timeout(Duration::from_secs(5), async {
            while alive() > 1 {
                sleep(Duration::from_micros(100)).await;
            }
        })
        .await?;
        println!("gone from /proc, zombies included, after {:.0?}; the winner waits for its next job", start.elapsed());
    }
    // Workers that `kill_on_cancel` killed are no error here.
    context.close().await?;
    Ok(())
}

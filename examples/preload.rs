//! A table of 200 MB that four workers share at the memory price of one: a fork server makes it
//! once, before it forks them.
//!
//! ```sh
//! cargo run --release --example preload
//! ```
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, io, process};

use futures_util::future::try_join_all;
use offproc::{Error, Limiter, WorkerContext, WorkerType};

const TABLE_MB: u64 = 200;
const ROWS: u64 = TABLE_MB * 1_000_000 / size_of::<u64>() as u64;
const WORKERS: usize = 4;

/// What a model, a dictionary or a parsed configuration may be in your program.
static TABLE: OnceLock<Vec<u64>> = OnceLock::new();

/// Runs in the fork server, which must have one thread when it forks: do not leave others behind.
fn make_table() {
    let row = |n: u64| (n ^ n >> 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    TABLE.set((0..ROWS).map(row).collect()).expect("it is made once");
}

/// Reads all of the table. To read shares; to write to a page makes that page the worker's own (and
/// cloning an `Arc` is to write: plain data shares best).
fn sum_of_table(_: ()) -> (u64, u32) {
    let table = TABLE.get().expect("no worker has to make it");
    (table.iter().fold(0, |sum, &row| sum.wrapping_add(row)), process::id())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The numbers that this example shows are in /proc/PID/smaps_rollup, which only Linux has.");
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = WorkerContext::builder().worker_type(WorkerType::ForkServer).preload(make_table).open()?;
    let (forked, first) = start(&server, 1).await?;
    let (more, others) = start(&server, WORKERS).await?;
    let workers: BTreeSet<u32> = forked.into_iter().chain(more).collect();
    assert_eq!(workers.len(), WORKERS);

    // They wait in the cache for more jobs, so their memory can be read. Their parent is the fork server.
    let parents = workers.iter().map(|&pid| parent(pid)).collect::<io::Result<HashSet<u32>>>()?;
    let Some(&fork_server) = parents.iter().next().filter(|_| parents.len() == 1) else {
        panic!("the workers have one parent, not {parents:?}");
    };
    assert_ne!(fork_server, process::id(), "we do not have the table");
    assert!(TABLE.get().is_none());

    println!("MB of memory in the processes of a fork server that has preloaded {TABLE_MB} MB:\n");
    println!("{:24}{:>9}{:>9}{:>9}{:>9}", "", "Rss", "Pss", "shared", "private");
    let mut sum = report("fork server", fork_server)?;
    for &worker in &workers {
        sum += report("worker", worker)?;
    }
    // The fork server forks a worker ahead of the next call that needs one: it shares the table too.
    for spare in children(fork_server)?.into_iter().filter(|pid| !workers.contains(pid)) {
        sum += report("forked ahead", spare)?;
    }
    println!("{:24}{:>9}{:>9.1}", "together", "", sum.pss);
    println!("\n(Rss counts a shared page in each process; Pss divides it among those that share it.)\n");
    let table = TABLE_MB as f64;
    assert!(sum.rss > WORKERS as f64 * table, "each worker has the whole table");
    assert!((0.9 * table..300.0).contains(&sum.pss), "and yet there is one, not {:.0} MB", sum.pss);
    server.close().await?;

    // The same without a fork server: each worker makes a table of its own, before its first job.
    let spawner = WorkerContext::builder().worker_type(WorkerType::Spawn).init(make_table).open()?;
    let (one, alone) = start(&spawner, 1).await?;
    let own = memory(one[0])?;
    spawner.close().await?;
    assert!(own.private > 0.9 * table, "it is not shared");
    let four = WORKERS as f64 * own.private;
    println!("A `Spawn` worker, which makes the table in `init`, has {:.0} MB for itself:", own.private);
    println!("four would have {four:.0} MB, and make it four times.\n");
    println!("{alone:>6.0?}  the first call with `Spawn`: start a worker, make the table, read it");
    println!("{first:>6.0?}  the first call with the fork server: the same, and start that");
    println!("{others:>6.0?}  four calls at once, three of them on new workers: fork, read it");
    Ok(())
}

/// Makes this many calls at once, which takes as many workers: which ones, and how long it took.
async fn start(context: &WorkerContext, calls: usize) -> Result<(Vec<u32>, Duration), Error> {
    // The default limiter would let no more run at once than there are CPUs.
    let limiter = Limiter::new(calls);
    let start = Instant::now();
    let calls = (0..calls).map(|_| context.run_sync(sum_of_table, ()).limiter(&limiter).into_future());
    let (sums, workers): (HashSet<u64>, Vec<u32>) = try_join_all(calls).await?.into_iter().unzip();
    assert_eq!(sums.len(), 1, "they all read the same");
    Ok((workers, start.elapsed()))
}

/// In MB.
#[derive(Clone, Copy)]
struct Memory {
    rss: f64,
    pss: f64,
    shared: f64,
    private: f64,
}

impl std::ops::AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.shared += other.shared;
        self.private += other.private;
    }
}

fn memory(pid: u32) -> io::Result<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    // Lines such as `Pss:     41234 kB`, where a kB has 1024 bytes.
    let kb: HashMap<&str, f64> = rollup
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim().strip_suffix(" kB")?.parse().ok()?))
        })
        .collect();
    let mb = |names: &[&str]| names.iter().filter_map(|name| kb.get(name)).sum::<f64>() * 1_024.0 / 1e6;
    Ok(Memory {
        rss: mb(&["Rss"]),
        pss: mb(&["Pss"]),
        shared: mb(&["Shared_Clean", "Shared_Dirty"]),
        private: mb(&["Private_Clean", "Private_Dirty"]),
    })
}

fn report(what: &str, pid: u32) -> io::Result<Memory> {
    let memory = memory(pid)?;
    let Memory { rss, pss, shared, private } = memory;
    println!("{:24}{rss:>9.1}{pss:>9.1}{shared:>9.1}{private:>9.1}", format!("{what} {pid}"));
    Ok(memory)
}

/// A fork server has one thread, which has all its children.
fn children(pid: u32) -> io::Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children.split_whitespace().map(|child| child.parse().map_err(io::Error::other)).collect()
}

fn parent(pid: u32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
    parent.ok_or(io::ErrorKind::InvalidData.into())
}

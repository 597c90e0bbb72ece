//! Whether the current job has passed a soft limit, or is asked to stop by its caller.
//!
//! A job without soft limits has no state here. One with soft limits has a number, so that a thread which finds a limit
//! passed, however late, records it for that job and for no other.

use crate::job::limits::SoftLimits;
use crate::role::depth;
use crate::sys::clock;
use crate::sys::gifts::is_at_end;
use crate::sys::socket::Socket;
use crate::sys::usage::{own_cpu_time, own_resident_memory};
use crate::wire::hello::DEEPEST;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How often, in nanoseconds, to measure what takes a system call.
const INTERVAL: u64 = 1_000_000;

/// The number of the current job, if it has soft limits, or else 0.
static JOB: AtomicU64 = AtomicU64::new(0);
/// The number of the last job that was found past a limit.
static PAST: AtomicU64 = AtomicU64::new(0);
// The limits of the job, as absolute values; `u64::MAX`: none.
static DEADLINE: AtomicU64 = AtomicU64::new(0);
static CPU: AtomicU64 = AtomicU64::new(0);
static MEMORY: AtomicU64 = AtomicU64::new(0);
/// When to measure again.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// True if the calling job should end: it has passed one of its soft limits, or its call was dropped and has a
/// [`cancel_grace`](https://docs.rs/offproc/latest/offproc/struct.RunSync.html#method.cancel_grace).
///
/// Once true, it stays true until the job ends. Call it in jobs that can stop early, in the loop where they spend their
/// time, from any thread of the worker. Nothing happens to a job that does not call it, or goes on: use hard limits for
/// that.
///
/// It is cheap: a load if the job has no soft limit, and some tens of nanoseconds on average if it has. Outside a
/// worker it is always false.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{run_sync, should_stop};
/// use std::time::Duration;
///
/// fn count_up(_: ()) -> u64 {
///     let mut n = 0;
///     while !should_stop() {
///         n += 1;
///     }
///     n
/// }
///
/// let counted = run_sync(count_up, ()).soft_time_limit(Duration::from_millis(10)).await?;
/// println!("{counted} in 10 ms");
/// # Ok::<(), offproc::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn should_stop() -> bool {
    let job = JOB.load(Ordering::Acquire);
    job != 0 && (PAST.load(Ordering::Relaxed) == job || is_past(job))
}

#[cold]
fn is_past(job: u64) -> bool {
    let is_over = |limit: &AtomicU64, used: u64| used >= limit.load(Ordering::Relaxed);
    let now = now();
    let mut past = is_over(&DEADLINE, now);
    if !past && now >= NEXT.load(Ordering::Relaxed) {
        NEXT.store(now + INTERVAL, Ordering::Relaxed);
        let is_set = |limit: &AtomicU64| limit.load(Ordering::Relaxed) != u64::MAX;
        past = is_asked()
            || is_set(&CPU) && is_over(&CPU, nanoseconds(own_cpu_time()))
            || is_set(&MEMORY) && is_over(&MEMORY, own_resident_memory());
    }
    // The limits just read may have been those of the next job.
    let past = past && JOB.load(Ordering::Acquire) == job;
    if past {
        PAST.store(job, Ordering::Relaxed);
    }
    past
}

/// The connection on which the parent asks a job to stop, by shutting its direction down. One for each depth, set once:
/// a worker that was forked by a worker inherits that one's memory, in whatever state its threads have left it.
static CONNECTIONS: [OnceLock<Arc<Socket>>; DEEPEST as usize + 1] = [const { OnceLock::new() }; DEEPEST as usize + 1];

/// From now on, the jobs of this worker are asked to stop on this connection.
pub(crate) fn listen(connection: Arc<Socket>) {
    if let Some(own) = CONNECTIONS.get(depth() as usize) {
        let _ = own.set(connection);
    }
}

/// Whether the parent asks the job to stop. The job is there as a whole, so nothing else is on its way.
fn is_asked() -> bool {
    CONNECTIONS.get(depth() as usize).and_then(OnceLock::get).is_some_and(is_at_end)
}

/// Sets the soft limits of the job that begins; they end with the value.
pub(crate) fn limit(soft: &SoftLimits) -> Limited {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let after =
        |used: u64, limit: Option<Duration>| limit.map_or(u64::MAX, |limit| used.saturating_add(nanoseconds(limit)));
    DEADLINE.store(after(now(), soft.time), Ordering::Relaxed);
    CPU.store(
        if soft.cpu.is_some() { after(nanoseconds(own_cpu_time()), soft.cpu) } else { u64::MAX },
        Ordering::Relaxed,
    );
    MEMORY.store(soft.memory.unwrap_or(u64::MAX), Ordering::Relaxed);
    NEXT.store(0, Ordering::Relaxed);
    JOB.store(LAST.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Release);
    Limited
}

/// While this lives, the current job has soft limits.
pub(crate) struct Limited;

impl Drop for Limited {
    fn drop(&mut self) {
        forget();
    }
}

/// Forgets the current job, in a fork of the process that ran it.
pub(crate) fn forget() {
    JOB.store(0, Ordering::Release);
}

fn now() -> u64 {
    nanoseconds(clock::now())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

//! Whether the job under way is to come to its end.
//!
//! A job that has no soft limit leaves nothing here. One that has is known by a number, so that whoever finds a limit
//! passed, on any thread and however late, says so of that job and of no other.

use crate::sys::usage::{own_cpu_time, own_resident_memory};
use crate::wire::message::SoftLimits;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often, in nanoseconds, it is looked at what takes a system call to know.
const INTERVAL: u64 = 1_000_000;

/// The number of the job under way, if it has soft limits, or else 0.
static JOB: AtomicU64 = AtomicU64::new(0);
/// The last job that was found past one.
static PAST: AtomicU64 = AtomicU64::new(0);
// The limits of the job, as points on their scales; `u64::MAX`: none.
static DEADLINE: AtomicU64 = AtomicU64::new(0);
static CPU: AtomicU64 = AtomicU64::new(0);
static MEMORY: AtomicU64 = AtomicU64::new(0);
/// When to look again.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// True when the job that asks is to come to its end: a soft limit of it has passed.
///
/// Once true, it stays so until the job ends. It is for jobs that can stop early, in the loop where they spend their
/// time, and may be called from any thread of the worker. Nothing happens to a job that does not ask, or goes on; that
/// is what hard limits are for.
///
/// Cheap: a load where the job has no soft limit, and some tens of nanoseconds on average where it has. Outside a
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
        past = is_set(&CPU) && is_over(&CPU, nanoseconds(own_cpu_time()))
            || is_set(&MEMORY) && is_over(&MEMORY, own_resident_memory());
    }
    // The limits may have been those of the job after it.
    let past = past && JOB.load(Ordering::Acquire) == job;
    if past {
        PAST.store(job, Ordering::Relaxed);
    }
    past
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

/// While it lives, the job under way has soft limits.
pub(crate) struct Limited;

impl Drop for Limited {
    fn drop(&mut self) {
        forget();
    }
}

/// Nothing is under way in this process, whatever it is a fork of.
pub(crate) fn forget() {
    JOB.store(0, Ordering::Release);
}

fn now() -> u64 {
    nanoseconds(Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

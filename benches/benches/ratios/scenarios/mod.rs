//! What is measured.

mod allocations;
mod busy_share;
mod bytes;
mod channel;
mod cold;
mod idle;
mod instructions;
mod kill;
mod latency;
#[cfg(feature = "tracing")]
mod log_lines;
mod map;
mod memory;
mod numbers;
mod pace;
mod paused;
mod programs;
mod shared_bytes;
mod single_use;
mod smol;
mod syscalls;
mod throughput;
mod ticker;
mod warm;

use crate::options::Options;
use crate::output::Output;

/// What went wrong where a call failed. A figure that misses its bar is no failure, but for that of `log-lines`.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Outcome = Result<(), Failure>;

/// One part of the benchmark, which can be run by itself.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Options, &mut Output) -> Outcome,
}

/// All of them, in the order in which they are run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "warm", about: "a no-op on a warm worker, ours, peers and raw limits", run: warm::run },
    Scenario { name: "paused", about: "the same with 300 us of pause before each call", run: paused::run },
    Scenario { name: "smol", about: "a no-op on a warm worker under smol", run: smol::run },
    Scenario { name: "throughput", about: "no-op calls a second from 1, 4 and 64 tasks", run: throughput::run },
    Scenario { name: "busy-share", about: "what share of two CPUs jobs of 100 us get", run: busy_share::run },
    Scenario { name: "map", about: "a map over many items, against rayon's par_iter", run: map::run },
    Scenario { name: "bytes", about: "bytes there and back, by size", run: bytes::run },
    Scenario { name: "numbers", about: "vectors of numbers there and back", run: numbers::run },
    Scenario { name: "shared-bytes", about: "100 MiB SharedBytes, read or made by a worker", run: shared_bytes::run },
    Scenario { name: "channel", about: "8-byte items from a job to its caller", run: channel::run },
    Scenario { name: "cold", about: "the first call of a worker, by the parent's memory", run: cold::run },
    Scenario { name: "single-use", about: "200 calls in a row, each on a worker of its own", run: single_use::run },
    Scenario { name: "ticker", about: "how late a 1 ms ticker is while 100 workers start", run: ticker::run },
    Scenario { name: "kill", about: "how fast workers end when they are killed", run: kill::run },
    Scenario { name: "pace", about: "CPU time of a worker that gets one no-op a millisecond", run: pace::run },
    Scenario { name: "idle", about: "wake-ups of an idle program and its workers", run: idle::run },
    Scenario { name: "memory", about: "private memory of an idle worker", run: memory::run },
    Scenario { name: "allocations", about: "heap allocations of a warm call", run: allocations::run },
    #[cfg(feature = "tracing")]
    Scenario { name: "log-lines", about: "lines that a job says, forwarded and printed", run: log_lines::run },
    Scenario { name: "instructions", about: "instructions of a warm call in the caller", run: instructions::run },
    Scenario { name: "syscalls", about: "system calls of a warm call, both sides asleep before", run: syscalls::run },
];

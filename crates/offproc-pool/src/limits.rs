//! What a job may use: time, CPU time and memory. A soft limit is told to the job, a hard one kills it.

use offproc_core::{BoxFuture, Error, Host, SoftLimits, WorkerProcess};
use std::fmt;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The limits of a call, or those that the calls of a context have by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) time: Option<Duration>,
    pub(crate) cpu: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) soft_time: Option<Duration>,
    pub(crate) soft_cpu: Option<Duration>,
    pub(crate) soft_memory: Option<u64>,
}

impl Limits {
    /// These, and where there is none, the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            time: self.time.or(others.time),
            cpu: self.cpu.or(others.cpu),
            memory: self.memory.or(others.memory),
            soft_time: self.soft_time.or(others.soft_time),
            soft_cpu: self.soft_cpu.or(others.soft_cpu),
            soft_memory: self.soft_memory.or(others.soft_memory),
        }
    }

    /// What the job is told.
    pub(crate) fn soft(&self) -> Option<SoftLimits> {
        let soft = SoftLimits {
            time: self.soft_time.filter(|time| *time != Duration::MAX),
            cpu: self.soft_cpu.filter(|time| *time != Duration::MAX),
            memory: self.soft_memory.filter(|bytes| *bytes != u64::MAX),
        };
        (soft != SoftLimits::default()).then_some(soft)
    }

    /// A watch over a job that is about to be handed to a worker; `None` where nothing can kill it.
    ///
    /// # Errors
    ///
    /// What is limited cannot be measured.
    pub(crate) fn watch(&self, process: WorkerProcess) -> Result<Option<Watch>, Error> {
        let time = self.time.filter(|time| *time != Duration::MAX);
        let cpu = self.cpu.filter(|time| *time != Duration::MAX);
        let memory = self.memory.filter(|bytes| *bytes != u64::MAX);
        if time.is_none() && cpu.is_none() && memory.is_none() {
            return Ok(None);
        }
        // The end of the process is found out by whoever waits for the answer.
        let cpu = cpu.map(|limit| (limit, process.cpu_time().unwrap_or_default()));
        if memory.is_some() && process.resident_memory().is_none() && !process.has_ended() {
            return Err(Error::Spawn(std::io::Error::other(
                "the memory of a worker cannot be limited, as there is no `/proc` to read its size from",
            )));
        }
        Ok(Some(Watch { process, since: Instant::now(), time, cpu, memory }))
    }
}

/// Looks after the hard limits of one job.
///
/// CPU time and memory are looked at just often enough: between two looks, the job cannot use up much more than it has
/// left, however many threads it has.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    process: WorkerProcess,
    since: Instant,
    time: Option<Duration>,
    // The limit, and what the process had used before the job.
    cpu: Option<(Duration, Duration)>,
    memory: Option<u64>,
}

impl Watch {
    /// The shortest time between two looks at the CPU time, and at the memory.
    const CPU_INTERVAL: Duration = Duration::from_millis(1);
    const MEMORY_INTERVAL: Duration = Duration::from_millis(2);
    /// How much memory a process can take hold of, in bytes a nanosecond: more than any does.
    const FASTEST: u64 = 16;

    /// The job has been handed over.
    pub(crate) fn begin(mut self, host: Host) -> Overrun {
        self.since = Instant::now();
        Overrun { future: Box::pin(self.clone().overrun(host)), watch: self }
    }

    /// Ready when a limit is passed, with the error that says so.
    async fn overrun(self, host: Host) -> Error {
        loop {
            match self.look() {
                Ok(pause) => host.sleep_really(pause).await,
                Err(error) => return error,
            }
        }
    }

    /// How long no limit can be passed; an error if one is.
    fn look(&self) -> Result<Duration, Error> {
        let mut pause = Duration::MAX;
        if let Some(limit) = self.time {
            let left = limit.saturating_sub(self.since.elapsed());
            if left.is_zero() {
                return Err(Error::TimedOut);
            }
            pause = left;
        }
        if let Some((limit, before)) = self.cpu
            && let Some(now) = self.process.cpu_time()
        {
            let used = now.saturating_sub(before);
            if used >= limit {
                return Err(Error::CpuTimeExceeded { limit, used });
            }
            pause = pause.min(((limit - used) / cpus()).max(Self::CPU_INTERVAL));
        }
        if let Some(limit) = self.memory
            && let Some(used) = self.process.resident_memory()
        {
            if used > limit {
                return Err(Error::MemoryExceeded { limit, used });
            }
            pause = pause.min(Duration::from_nanos((limit - used) / Self::FASTEST).max(Self::MEMORY_INTERVAL));
        }
        Ok(pause)
    }
}

fn cpus() -> u32 {
    static CPUS: OnceLock<u32> = OnceLock::new();
    *CPUS.get_or_init(|| {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        u32::try_from(cpus).unwrap_or(u32::MAX)
    })
}

/// A watch that is kept.
pub(crate) struct Overrun {
    watch: Watch,
    future: BoxFuture<Error>,
}

impl Overrun {
    /// Ready when a limit is passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.future.as_mut().poll(cx)
    }

    /// The same, for the keeper: the runtime of the caller may not be there any more.
    pub(crate) async fn without_caller(self) -> Error {
        self.watch.overrun(Host::fallback()).await
    }
}

impl fmt::Debug for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.watch.fmt(f)
    }
}

//! Measures what a running job uses, and kills a job that passes a hard limit.

use super::job_limits::Limits;
use crate::timing::Stopwatch;
use offproc_core::{BoxFuture, Error, WorkerProcess, sleep};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

/// Watches the hard limits of one job.
///
/// It measures CPU time and memory just often enough: between two measurements, the job cannot use much more than it
/// has left, however many threads it has.
#[derive(Clone, Debug)]
pub(crate) struct LimitMonitor {
    process: WorkerProcess,
    // Runs from when the job was handed over, where its time is limited.
    stopwatch: Option<Arc<Stopwatch>>,
    time: Option<Duration>,
    // The limit, and what the process had used before the job.
    cpu: Option<(Duration, Duration)>,
    memory: Option<u64>,
}

impl LimitMonitor {
    /// The shortest time between two measurements of the CPU time, and of the memory.
    const CPU_INTERVAL: Duration = Duration::from_millis(1);
    const MEMORY_INTERVAL: Duration = Duration::from_millis(2);
    /// A bound on how fast a process can take memory, in bytes a nanosecond: faster than any does.
    const FASTEST: u64 = 16;

    /// A monitor for a job that is about to be handed to a worker; `None` if it has no hard limit.
    ///
    /// # Errors
    ///
    /// The system does not let this process measure what is limited.
    pub(crate) fn of(limits: &Limits, process: WorkerProcess) -> Result<Option<Self>, Error> {
        let time = limits.time.filter(|time| *time != Duration::MAX);
        let cpu = limits.cpu.filter(|time| *time != Duration::MAX);
        let memory = limits.memory.filter(|bytes| *bytes != u64::MAX);
        if time.is_none() && cpu.is_none() && memory.is_none() {
            return Ok(None);
        }
        // If the process has ended, the call finds that when it waits for the answer.
        let used = cpu.and_then(|_| process.cpu_time());
        if cpu.is_some() && used.is_none() && !process.has_ended() {
            return Err(Error::Spawn(std::io::Error::other(
                "the CPU time of a worker cannot be limited, as the system does not report it (a seccomp filter?)",
            )));
        }
        let cpu = cpu.map(|limit| (limit, used.unwrap_or_default()));
        if memory.is_some() && process.resident_memory().is_none() && !process.has_ended() {
            return Err(Error::Spawn(std::io::Error::other(
                "the memory of a worker cannot be limited, as `/proc` does not show it: none is mounted, or that of \
                 another PID namespace, or one that hides it (`hidepid`), or the program can open no more files",
            )));
        }
        Ok(Some(Self { process, stopwatch: None, time, cpu, memory }))
    }

    /// The job has been handed over.
    pub(crate) fn begin(mut self) -> Overrun {
        self.stopwatch = self.time.map(|_| Arc::new(Stopwatch::start()));
        Overrun { future: Box::pin(self.clone().overrun()), monitor: self }
    }

    /// Ready when a limit is passed, with the error that says so.
    async fn overrun(self) -> Error {
        loop {
            match self.look() {
                Ok(pause) => sleep(pause).await,
                Err(error) => return error,
            }
        }
    }

    /// How long no limit can be passed; an error if one is.
    fn look(&self) -> Result<Duration, Error> {
        let mut pause = Duration::MAX;
        if let (Some(limit), Some(stopwatch)) = (self.time, &self.stopwatch) {
            let left = limit.saturating_sub(stopwatch.elapsed());
            if left.is_zero() {
                return Err(Error::TimedOut);
            }
            pause = left;
        }
        if let Some((limit, before)) = self.cpu {
            if let Some(now) = self.process.cpu_time() {
                let used = now.saturating_sub(before);
                if used >= limit {
                    return Err(Error::CpuTimeExceeded { limit, used });
                }
                pause = pause.min(((limit - used) / cpus()).max(Self::CPU_INTERVAL));
            }
        }
        if let Some(limit) = self.memory {
            // If it cannot be measured now (the program has no descriptor left, for example), it may be the next time.
            let used = self.process.resident_memory().unwrap_or(limit);
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

/// The result of a monitor.
pub(crate) struct Overrun {
    monitor: LimitMonitor,
    future: BoxFuture<Error>,
}

impl Overrun {
    /// Ready when a limit is passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.future.as_mut().poll(cx)
    }

    /// How long ago the job passed its time limit; `None` if it has not, or has none.
    pub(crate) fn time_overdue(&self) -> Option<Duration> {
        let (limit, stopwatch) = self.monitor.time.zip(self.monitor.stopwatch.as_ref())?;
        stopwatch.elapsed().checked_sub(limit)
    }

    /// As `poll`, for the background thread.
    pub(crate) async fn without_caller(self) -> Error {
        self.future.await
    }
}

impl fmt::Debug for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.monitor.fmt(f)
    }
}

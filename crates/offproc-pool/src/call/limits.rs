//! The setters for what a call may use, and for how long.

use super::run_sync::RunSync;
use crate::limits::{Deadline, Limits};
use std::time::{Duration, Instant};

/// # Limits
///
/// Past a hard limit the worker is killed and the call gets an error. Past a soft one,
/// [`should_stop`](offproc_core::should_stop) is `true` in the job, and nothing else happens.
impl<A, R> RunSync<A, R> {
    /// When the call has to be over: waiting for a token, starting a worker and running count.
    ///
    /// **Default:** no deadline.
    ///
    /// Past it, the call ends with [`Error::DeadlineExceeded`](crate::Error::DeadlineExceeded), which says where the
    /// call was. offproc gives up its place in the queue, ends a worker that is starting for it, and kills the worker
    /// of a job that runs, whatever [`kill_on_cancel`](Self::kill_on_cancel) says. If the deadline has passed at the
    /// first poll, offproc starts nothing. If a result is there when the call is polled, the call returns it, even if
    /// the deadline has passed by then. The deadline of a dropped call holds for its abandoned job.
    ///
    /// It is a moment of the system's clock: time in which the program is stopped (Ctrl+Z, SIGSTOP) counts. A call may
    /// have both a deadline and a [`timeout`](Self::timeout), and the earlier one holds. If the job also has a
    /// [time limit](Self::time_limit), the one that passes first decides the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Error, run_sync};
    /// use std::time::{Duration, Instant};
    ///
    /// // The service has to answer the request by then; other work for the request counts, too.
    /// let answer_by = Instant::now() + Duration::from_millis(100);
    /// match run_sync(|()| -> () { loop {} }, ()).deadline(answer_by).await {
    ///     Err(Error::DeadlineExceeded(station)) => println!("too late while {station}"),
    ///     other => unreachable!("{other:?}"),
    /// }
    /// # });
    /// ```
    #[track_caller]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.due().at = Some(deadline);
        self
    }

    /// How long the call may take, from its first poll or [`wait`](Self::wait) on: a [deadline](Self::deadline) at that
    /// moment plus `timeout`.
    ///
    /// **Default:** no timeout; [`Duration::MAX`] means the same.
    ///
    /// Time in which the program is stopped (Ctrl+Z, SIGSTOP) does not count, apart from its first tenth of a second.
    ///
    /// A timeout of your runtime around the call would only drop it: without
    /// [`kill_on_cancel`](Self::kill_on_cancel), its job goes on running.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::run_sync;
    /// use std::time::Duration;
    ///
    /// let late = run_sync(|()| -> () { loop {} }, ()).timeout(Duration::from_millis(100)).await.unwrap_err();
    /// assert!(late.is_timeout());
    /// # });
    /// ```
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.due().timeout = Some(timeout);
        self
    }

    /// How long the job may run.
    ///
    /// **Default:** the context's, which has none.
    ///
    /// This is wall-clock time from the moment the job starts in its worker; waiting for a token and starting a worker
    /// do not count. Past it, the worker is killed and the call ends with [`Error::TimedOut`](crate::Error::TimedOut).
    ///
    /// Time in which the program is stopped (Ctrl+Z, SIGSTOP) does not count, apart from its first tenth of a second.
    /// Time in which only the worker is stopped counts.
    ///
    /// This and all other limits hold for an abandoned job, too, whose call was dropped without
    /// [`kill_on_cancel`](Self::kill_on_cancel). A call checks its limits when it is polled, like any timer. For a
    /// limit that the call does not set, its context's [default](crate::WorkerContextBuilder::time_limit) holds;
    /// [`Duration::MAX`] (for memory, [`u64::MAX`]) is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Error, run_sync};
    /// use std::time::Duration;
    ///
    /// let endless = run_sync(|()| -> () { loop {} }, ()).time_limit(Duration::from_millis(50));
    /// assert!(matches!(endless.await, Err(Error::TimedOut)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits().time = Some(limit);
        self
    }

    /// How much CPU time the job may use, all threads of its worker together.
    ///
    /// **Default:** the context's, which has none.
    ///
    /// Past it, the worker is killed and the call ends with [`Error::CpuTimeExceeded`](crate::Error::CpuTimeExceeded).
    /// The caller measures it from outside, so that a job cannot evade it, and is a few milliseconds late at most, if
    /// it gets to run. The CPU time of other processes that the job has started does not count.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Error, run_sync};
    /// use std::time::Duration;
    ///
    /// let endless = run_sync(|()| -> () { loop {} }, ()).cpu_limit(Duration::from_millis(50));
    /// assert!(matches!(endless.await, Err(Error::CpuTimeExceeded { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn cpu_limit(mut self, limit: Duration) -> Self {
        self.limits().cpu = Some(limit);
        self
    }

    /// How much memory the job's worker may have, in bytes.
    ///
    /// **Default:** the context's, which has none.
    ///
    /// All resident memory of the process counts: what the program itself needs, what earlier jobs have left, and what
    /// it [shares](crate::WorkerContextBuilder::preload) with other processes. A worker has a few MiB from the start.
    /// Past it, the worker is killed and the call ends with [`Error::MemoryExceeded`](crate::Error::MemoryExceeded).
    ///
    /// The caller measures it every few milliseconds, so a job can have more for that long, and for as long as the
    /// caller does not get to run. For a bound that is never passed, at which allocations fail, see
    /// [`Resource::AddressSpace`](crate::Resource::AddressSpace).
    ///
    /// # Platform-specific behaviour
    ///
    /// Needs `/proc`; without it, the call ends with [`Error::Spawn`](crate::Error::Spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{Error, run_sync};
    ///
    /// fn grow(_: ()) {
    ///     let mut all = Vec::new();
    ///     loop {
    ///         all.push(vec![1_u8; 1 << 20]);
    ///     }
    /// }
    ///
    /// let greedy = run_sync(grow, ()).memory_limit(64 << 20);
    /// assert!(matches!(greedy.await, Err(Error::MemoryExceeded { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.limits().memory = Some(bytes);
        self
    }

    /// Soft time limit: after this long, [`should_stop`](https://docs.rs/offproc/latest/offproc/fn.should_stop.html) is
    /// true in the job.
    ///
    /// **Default:** the context's, which has none.
    ///
    /// It counts like the [time limit](Self::time_limit), but in the worker, where time in which it is stopped counts,
    /// too. It does not kill: the result of the job is the result of the call.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{run_sync, should_stop};
    /// use std::time::Duration;
    ///
    /// fn search(_: ()) -> u64 {
    ///     let mut tried = 0;
    ///     while !should_stop() {
    ///         tried += 1;
    ///     }
    ///     tried
    /// }
    ///
    /// assert!(run_sync(search, ()).soft_time_limit(Duration::from_millis(50)).await? > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.limits().soft_time = Some(limit);
        self
    }

    /// The same, after this much CPU time, all threads of the worker together.
    #[track_caller]
    pub fn soft_cpu_limit(mut self, limit: Duration) -> Self {
        self.limits().soft_cpu = Some(limit);
        self
    }

    /// The same, once the worker has this much resident memory, in bytes.
    #[track_caller]
    pub fn soft_memory_limit(mut self, bytes: u64) -> Self {
        self.limits().soft_memory = Some(bytes);
        self
    }

    #[track_caller]
    fn due(&mut self) -> &mut Deadline {
        self.request();
        self.deadline.get_or_insert_default()
    }

    #[track_caller]
    fn limits(&mut self) -> &mut Limits {
        self.options().limits.get_or_insert_default()
    }
}

use crate::limits::Limits;
use offproc_core::ConfigError;

settings! {
    /// # Limits
    ///
    /// What a job may use, unless its call sets another limit, and what a worker may use.
    ///
    /// Past a hard limit the worker is killed and the call gets an error. Past a soft one,
    /// [`should_stop`](offproc_core::should_stop) is `true` in the job, and nothing else happens.
    limits: CallLimits;

    limits: Option<Limits> = None => {
        /// The [time limit](crate::RunSync::time_limit) of calls that set none.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        /// use std::time::Duration;
        ///
        /// let context = WorkerContext::builder().time_limit(Duration::from_millis(50)).open()?;
        /// assert!(matches!(context.run_sync(|()| -> () { loop {} }, ()).await, Err(Error::TimedOut)));
        ///
        /// // What a call sets itself wins.
        /// let nap = |()| std::thread::sleep(Duration::from_millis(100));
        /// context.run_sync(nap, ()).time_limit(Duration::MAX).await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn time_limit(limit: Duration) |settings| settings.limits.get_or_insert_default().time = Some(limit);
        get time_limit -> Option<Duration> |settings| settings.limits?.time;

        /// The [CPU time limit](crate::RunSync::cpu_limit) of calls that set none.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        /// use std::time::Duration;
        ///
        /// let context = WorkerContext::builder().cpu_limit(Duration::from_millis(50)).open()?;
        /// let endless = context.run_sync(|()| -> () { loop {} }, ()).await;
        /// assert!(matches!(endless, Err(Error::CpuTimeExceeded { .. })));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn cpu_limit(limit: Duration) |settings| settings.limits.get_or_insert_default().cpu = Some(limit);
        get cpu_limit -> Option<Duration> |settings| settings.limits?.cpu;

        /// The [memory limit](crate::RunSync::memory_limit) of calls that set none, in bytes.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // A worker has a few MiB before its first job.
        /// let context = WorkerContext::builder().memory_limit(512 << 20).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn memory_limit(bytes: u64) |settings| settings.limits.get_or_insert_default().memory = Some(bytes);
        get memory_limit -> Option<u64> |settings| settings.limits?.memory;

        /// The [soft time limit](crate::RunSync::soft_time_limit) of calls that set none.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{WorkerContext, should_stop};
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
        /// let context = WorkerContext::builder().soft_time_limit(Duration::from_millis(50)).open()?;
        /// assert!(context.run_sync(search, ()).await? > 0);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn soft_time_limit(limit: Duration) |settings| settings.limits.get_or_insert_default().soft_time = Some(limit);
        get soft_time_limit -> Option<Duration> |settings| settings.limits?.soft_time;

        /// The [soft CPU time limit](crate::RunSync::soft_cpu_limit) of calls that set none.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// // `should_stop()` is true after a second of CPU time; a job that goes on is killed after two.
        /// let limit = Duration::from_secs(1);
        /// let context = WorkerContext::builder().soft_cpu_limit(limit).cpu_limit(2 * limit).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn soft_cpu_limit(limit: Duration) |settings| settings.limits.get_or_insert_default().soft_cpu = Some(limit);
        get soft_cpu_limit -> Option<Duration> |settings| settings.limits?.soft_cpu;

        /// The [soft memory limit](crate::RunSync::soft_memory_limit) of calls that set none, in bytes.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // `should_stop()` is true above 256 MiB; a job that goes on is killed above 512 MiB.
        /// let context = WorkerContext::builder().soft_memory_limit(256 << 20).memory_limit(512 << 20).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn soft_memory_limit(bytes: u64) |settings| settings.limits.get_or_insert_default().soft_memory = Some(bytes);
        get soft_memory_limit -> Option<u64> |settings| settings.limits?.soft_memory;
    }
}

impl CallLimits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let limits = self.limits.unwrap_or_default();
        let refused = |what: &str| Err(ConfigError::new(format!("{what} of zero leaves nothing for any job")));
        if limits.time.is_some_and(|limit| limit.is_zero()) {
            return refused("a time limit");
        }
        if limits.cpu.is_some_and(|limit| limit.is_zero()) {
            return refused("a CPU time limit");
        }
        if limits.memory == Some(0) {
            return refused("a memory limit");
        }
        Ok(())
    }
}

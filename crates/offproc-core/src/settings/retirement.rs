use super::function;
use std::ops::RangeInclusive;
use std::time::Duration;

settings! {
    /// # Retirement
    ///
    /// When a new worker replaces an old one. Several policies can be combined: a worker retires after a job as soon as
    /// the condition of one holds. The caller has its result by then.
    retirement: Retirement;

    #[serde(with = "function")]
    retire: Option<fn() -> bool> = None => {
        /// A function that runs in the worker after each job; `true` retires the worker.
        ///
        /// The caller has its result by then, and the next call gets another worker. If the function panics, the worker
        /// ends, with the message on stderr, and [`close`](crate::WorkerContext::close) reports it.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        /// use std::cell::Cell;
        ///
        /// thread_local!(static JOBS: Cell<u32> = const { Cell::new(0) });
        ///
        /// fn after_two() -> bool {
        ///     JOBS.set(JOBS.get() + 1);
        ///     JOBS.get() == 2
        /// }
        ///
        /// let context = WorkerContext::builder().retire(after_two).open()?;
        /// let first = context.run_sync(|()| std::process::id(), ()).await?;
        /// assert_eq!(context.run_sync(|()| std::process::id(), ()).await?, first);
        /// assert_ne!(context.run_sync(|()| std::process::id(), ()).await?, first);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn retire(retire: fn() -> bool) |settings| settings.retire = Some(retire);
        get retire -> Option<fn() -> bool> |settings| settings.retire;
    }

    retire_after_jobs: Option<RangeInclusive<u64>> = None => {
        /// Retires each worker after a number of jobs that it draws from this range, so that workers that started
        /// together do not all retire together. With `1..=1` each worker runs one job.
        ///
        /// **Default:** never. An empty range, and one from 0, are a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().retire_after_jobs(1..=1).open()?;
        /// let first = context.run_sync(|()| std::process::id(), ()).await?;
        /// assert_ne!(context.run_sync(|()| std::process::id(), ()).await?, first);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn retire_after_jobs(jobs: RangeInclusive<u64>) |settings| settings.retire_after_jobs = Some(jobs);
        get retire_after_jobs -> Option<RangeInclusive<u64>> |settings| settings.retire_after_jobs.clone();
    }

    retire_after_age: Option<Duration> = None => {
        /// Retires a worker after the first job that ends at this age or later, counted from when it was ready.
        ///
        /// **Default:** never.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// // A worker reads its configuration in `init`: none has one older than an hour and a job.
        /// let context = WorkerContext::builder().retire_after_age(Duration::from_secs(3600)).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn retire_after_age(age: Duration) |settings| settings.retire_after_age = Some(age);
        get retire_after_age -> Option<Duration> |settings| settings.retire_after_age;
    }

    retire_above_memory: Option<u64> = None => {
        /// Retires a worker after a job that leaves it with more resident memory than this, in bytes.
        ///
        /// **Default:** never.
        ///
        /// # Platform-specific behaviour
        ///
        /// Without `/proc`, this compares the worker's peak resident memory.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().retire_above_memory(64 << 20).open()?;
        /// let leaks = |()| {
        ///     std::mem::forget(vec![1_u8; 100 << 20]);
        ///     std::process::id()
        /// };
        /// let first = context.run_sync(leaks, ()).await?;
        /// assert_ne!(context.run_sync(leaks, ()).await?, first);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn retire_above_memory(bytes: u64) |settings| settings.retire_above_memory = Some(bytes);
        get retire_above_memory -> Option<u64> |settings| settings.retire_above_memory;
    }
}

impl Retirement {
    /// True if a worker may retire, and so sends after each job whether it stays.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let Self { retire, retire_after_jobs, retire_after_age, retire_above_memory } = self;
        retire.is_some() || retire_after_jobs.is_some() || retire_after_age.is_some() || retire_above_memory.is_some()
    }
}

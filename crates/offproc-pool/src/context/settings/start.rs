use offproc_core::{ConfigError, WorkerType};

/// More processes than a context can use.
const MOST_SPARES: usize = 4096;

settings! {
    /// # Start
    ///
    /// How workers are started, and what they do before their first job.
    start: Start;

    worker_type: WorkerType = WorkerType::default() => {
        /// How workers are started. [`WorkerType`] says which types there are on which platform.
        ///
        /// **Default:** [`WorkerType::Spawn`].
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{WorkerContext, WorkerType};
        ///
        /// // Workers start several times faster.
        /// let context = WorkerContext::builder().worker_type(WorkerType::ForkServer).open()?;
        /// assert_eq!(context.run_sync(|n: u32| n + 1, 1).await?, 2);
        /// # context.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn worker_type(worker_type: WorkerType) |settings| settings.worker_type = worker_type;
        get worker_type -> WorkerType |settings| settings.worker_type.clone();
    }

    spare_workers: usize = 0 => {
        /// How many idle workers offproc starts ahead of need. A call then finds a worker even when the last one has
        /// just retired. They start with the first call, and each call replaces those that are missing.
        ///
        /// **Default:** 0. More than 4096, each of which is a process, are a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // Each worker runs one job, and the next call does not wait for the next worker.
        /// let context = WorkerContext::builder().retire_after_jobs(1..=1).spare_workers(1).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn spare_workers(count: usize) |settings| settings.spare_workers = count;
        get spare_workers -> usize |settings| settings.spare_workers;
    }
}

impl Start {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.spare_workers > MOST_SPARES {
            let wanted = self.spare_workers;
            return Err(ConfigError::new(format!(
                "{wanted} spare workers are too many: each is a process; {MOST_SPARES} are the most"
            )));
        }
        Ok(())
    }
}

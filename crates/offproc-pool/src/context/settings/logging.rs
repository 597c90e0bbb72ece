use offproc_tracing::LevelFilter;

settings! {
    /// # Logging
    logging: Logging;

    forward_tracing: LevelFilter = LevelFilter::OFF => {
        /// Forwards the `tracing` events and `log` records of jobs, up to this level, to the program's own subscriber:
        /// inside the span of their call, in order, with the target, level, message, fields, file and line that the job
        /// gave them. A job's own spans are not forwarded.
        ///
        /// A worker sends no event above the level that the program's subscribers want when the job begins. The events
        /// of a job have arrived before its call has the result or the error, also if the worker died, or was killed.
        /// They go to the subscriber that the caller had; offproc calls it on the caller's thread, and on a thread of
        /// its own while the job runs. Events between jobs (from `init`, or from threads that a job has left behind)
        /// are in no span.
        ///
        /// A slow subscriber delays a job for a second at most. After a second in which it took no event, the worker
        /// drops events until it does, and an event `3 log events were dropped` with the target `offproc` and the field
        /// `dropped` reports how many.
        ///
        /// A subscriber or logger that `init` installs takes precedence: offproc does not forward what goes there. It
        /// does not forward `log` records of `init` and events of `preload`, either. Each worker takes two more
        /// descriptors in the program.
        ///
        /// **Default:** `LevelFilter::OFF`: events and records of jobs stay in the worker, where they go to the
        /// subscriber and the logger that `init` or the job has installed, if any.
        ///
        /// # Platform-specific behavior
        ///
        /// With [`WorkerType::fork`](crate::WorkerType::fork), threads that a job starts use the copy of the program's
        /// global subscriber, and all threads use the copy of its logger.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        /// use tracing::level_filters::LevelFilter;
        ///
        /// fn resize(width: u32) -> u32 {
        ///     tracing::info!(width, "resizing");
        ///     width / 2
        /// }
        ///
        /// let context = WorkerContext::builder().forward_tracing(LevelFilter::INFO).open()?;
        /// assert_eq!(context.run_sync(resize, 640).await?, 320);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
        fn forward_tracing(level: LevelFilter) |settings| settings.forward_tracing = level;
        get forward_tracing -> LevelFilter |settings| settings.forward_tracing;
    }
}

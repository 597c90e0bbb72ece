use std::time::Duration;

settings! {
    /// # Shutdown
    ///
    /// The end of workers, and of the processes that they have started.
    shutdown: Shutdown;

    grace_period: Duration = Duration::from_secs(30) => {
        /// How long [`close`](crate::WorkerContext::close) waits for abandoned jobs, and for workers that leave, before
        /// it kills them. [`Duration::MAX`]: it waits for ever.
        ///
        /// A job whose call still waits for it is none of these: `close` lets it run to its end, and so gives no bound
        /// where jobs may be endless. [`close_within`](crate::WorkerContext::close_within) does: after the time that it
        /// is given, or after the grace period if that is shorter, it kills all that is left, and the calls of killed
        /// jobs get [`Error::Closed`](crate::Error::Closed).
        ///
        /// **Default:** 30 s.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// // Less than the ten seconds that `docker stop` gives the program.
        /// let context = WorkerContext::builder().grace_period(Duration::from_secs(5)).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn grace_period(period: Duration) |settings| settings.grace_period = period;
        get grace_period -> Duration |settings| settings.grace_period;
    }
}

use std::time::Duration;

settings! {
    /// # Lifetime
    ///
    /// How long a worker without a job stays.
    lifetime: Lifetime;

    idle_timeout: Duration = Duration::from_secs(600) => {
        /// How long a worker stays without a job before it ends itself. With [`Duration::MAX`] it stays for ever; with
        /// [`Duration::ZERO`] it leaves after each job, unless the next one is there already.
        ///
        /// **Default:** 600 s.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// // Workers of a rare job: they give back their memory soon.
        /// let context = WorkerContext::builder().idle_timeout(Duration::from_secs(5)).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn idle_timeout(timeout: Duration) |settings| settings.idle_timeout = timeout;
        get idle_timeout -> Duration |settings| settings.idle_timeout;
    }
}

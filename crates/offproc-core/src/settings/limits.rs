use super::resource::Resource;

settings! {
    limits: Limits;

    oom_score: u16 = 500 => {
        /// How strongly the kernel's OOM killer prefers a worker over the program, in thousandths of all memory, 1000
        /// at most. It is added to the program's own `oom_score_adj`.
        ///
        /// When memory runs out, the kernel kills the process that uses most. That may be the program, which then loses
        /// all its jobs, although a job takes the memory. With 500, the kernel kills a worker first, unless the program
        /// uses more than that worker by half of all memory. The call gets
        /// [`Error::BrokenWorker`](crate::Error::BrokenWorker), which names the OOM killer. With `0` nothing is
        /// changed.
        ///
        /// **In a container or service** whose control group has `memory.oom.group` set to 1 (systemd:
        /// `OOMPolicy=kill`), the kernel kills all processes of the group, the program included, whatever this setting.
        ///
        /// **Default:** 500.
        ///
        /// # Platform-specific behaviour
        ///
        /// Linux only, with `/proc`; elsewhere it changes nothing.
        ///
        /// # Errors
        ///
        /// More than 1000 is a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // The kernel may as well kill the program.
        /// let context = WorkerContext::builder().oom_score_adj(0).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn oom_score_adj(thousandths: u16) |settings| settings.oom_score = thousandths;
        get oom_score_adj -> u16 |settings| settings.oom_score;
    }

    resource_limits: Vec<(Resource, u64)> = Vec::new() => {
        /// Sets the soft and the hard limit of a [`Resource`] for each worker, never above the program's own hard
        /// limit.
        ///
        /// **Default:** the program's limits.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Resource, WorkerContext};
        ///
        /// let context = WorkerContext::builder().resource_limit(Resource::AddressSpace, 1 << 30).open()?;
        /// let too_much = |()| Vec::<u8>::new().try_reserve(2 << 30).is_err();
        /// assert!(context.run_sync(too_much, ()).await?);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn resource_limit(resource: Resource, most: u64)
            |settings| settings.resource_limits.push((resource, most));
        get resource_limits -> &[(Resource, u64)] |settings| &settings.resource_limits;
    }
}

settings! {
    shutdown: Shutdown;

    kill_tree: bool = false => {
        /// Whether processes that a job has started end with its worker.
        ///
        /// With `true`, each worker leads a process group of its own, and offproc kills the group with SIGKILL when the
        /// worker has ended: killed for a dropped call, for a limit, or at the end of the grace period; crashed; or
        /// left by itself, idle or retired. When the program ends, however it ends, the kernel kills the whole group.
        ///
        /// A process that makes a group or a session of its own (a daemon, a shell with job control) has left the
        /// worker's, and lives on. As with [`Signals::OwnGroup`](crate::Signals::OwnGroup), signals from a terminal to
        /// the program's group do not reach workers and the processes that they start: neither Ctrl+C nor Ctrl+Z. If
        /// the terminal is set to `tostop`, printing to it stops them.
        ///
        /// **Default:** `false`.
        ///
        /// # Platform-specific behaviour
        ///
        /// From Linux 6.9 on, the group gets the signal together with the worker; before, when the worker is reaped, a
        /// moment later.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        /// use std::process::Command;
        /// use std::time::Duration;
        ///
        /// let context = WorkerContext::builder().kill_tree(true).open()?;
        /// let convert = |()| Command::new("sleep").arg("1000").status().is_ok_and(|status| status.success());
        /// let late = context.run_sync(convert, ()).time_limit(Duration::from_millis(50)).await;
        /// assert!(matches!(late, Err(offproc::Error::TimedOut))); // and `sleep` is gone, too
        /// # context.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn kill_tree(kill: bool) |settings| settings.kill_tree = kill;
        get kill_tree -> bool |settings| settings.kill_tree;
    }
}

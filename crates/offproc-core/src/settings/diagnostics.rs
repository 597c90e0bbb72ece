settings! {
    diagnostics: Diagnostics;

    keep_stderr: bool = false => {
        /// Whether the last lines that a worker wrote to stderr are kept for the report of its death,
        /// [`BrokenWorkerError::stderr`](crate::BrokenWorkerError::stderr). The program's stderr gets them, too.
        ///
        /// With `true`, a worker's stderr is a pipe; a thread of the program copies it to the program's stderr. Code
        /// that checks for a terminal does not find one (and may leave out colours), and the order of lines from
        /// different processes is not exact. The pipe takes one descriptor for each worker. The output of a process
        /// that outlives the program is lost.
        ///
        /// **Default:** `false`.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        ///
        /// fn give_up(_: ()) {
        ///     eprintln!("chunk 17 is longer than the file");
        ///     std::process::abort()
        /// }
        ///
        /// let context = WorkerContext::builder().keep_stderr(true).open()?;
        /// let Err(Error::BrokenWorker(death)) = context.run_sync(give_up, ()).await else { unreachable!() };
        /// assert!(death.stderr().unwrap().contains("chunk 17"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn keep_stderr(keep: bool) |settings| settings.keep_stderr = keep;
        get keep_stderr -> bool |settings| settings.keep_stderr;
    }

    fault_details: bool = false => {
        /// Whether the report of a worker's death has the details of its signal, in
        /// [`BrokenWorkerError::fault`](crate::BrokenWorkerError::fault): the address of a bad access, the system call
        /// that a filter refused, or the sender of the signal.
        ///
        /// No system reports these to the parent. With `true`, workers have handlers for SIGSEGV, SIGBUS, SIGILL,
        /// SIGFPE, SIGTRAP and SIGSYS, which do; the worker then dies of the signal as it would without, core dump
        /// included. Handlers that `init` or a job installs for these signals replace offproc's.
        ///
        /// **Default:** `false`.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        ///
        /// fn crash(_: ()) {
        ///     // SAFETY: none; nothing is mapped there.
        ///     unsafe { (0x10 as *mut u8).write_volatile(1) };
        /// }
        ///
        /// let context = WorkerContext::builder().fault_details(true).open()?;
        /// let Err(Error::BrokenWorker(death)) = context.run_sync(crash, ()).await else { unreachable!() };
        /// assert_eq!(death.fault().unwrap().address(), Some(0x10));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn fault_details(enabled: bool) |settings| settings.fault_details = enabled;
        get fault_details -> bool |settings| settings.fault_details;
    }
}

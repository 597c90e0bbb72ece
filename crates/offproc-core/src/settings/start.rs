use super::function;
use std::time::Duration;

settings! {
    start: Start;

    #[serde(with = "function")]
    init: Option<fn()> = None => {
        /// A function that runs once in each worker before its first job. All jobs of that worker find what it has set
        /// up.
        ///
        /// If it panics, the call that needed the worker gets [`Error::Panicked`](crate::Error::Panicked); if it kills
        /// the worker, [`Error::BrokenWorker`](crate::Error::BrokenWorker). From the second failure in a row on, the
        /// context pauses before it tries again: 10 ms at first, then twice as long each time, up to a second.
        ///
        /// It is not the function [`offproc::init`](https://docs.rs/offproc/latest/offproc/fn.init.html), which
        /// programs without the feature `auto-init` call in `main`.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        /// use std::sync::OnceLock;
        ///
        /// static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
        ///
        /// let context = WorkerContext::builder()
        ///     .init(|| {
        ///         TABLE.get_or_init(|| (0..1000).map(|n| n * n).collect());
        ///     })
        ///     .open()?;
        /// let square = context.run_sync(|n: usize| TABLE.get().map(|table| table[n]), 9).await?;
        /// assert_eq!(square, Some(81));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn init(init: fn()) |settings| settings.init = Some(init);
        get init -> Option<fn()> |settings| settings.init;
    }

    #[serde(with = "function")]
    sandbox: Option<fn()> = None => {
        /// A function that runs once in each worker as the last thing before its first job, after its surroundings were
        /// changed and after [`init`](Self::init). Drop there the privileges that jobs must not have, for example with
        /// Linux's landlock and seccomp; the example `untrusted` in the source uses both.
        ///
        /// The [reference](https://docs.rs/offproc/latest/offproc/guide/reference/index.html#sandboxes) lists the
        /// system calls that offproc itself needs afterwards. A panic, and the death of the worker, are errors as in
        /// [`init`](Self::init), with the phase [`Phase::Sandbox`](crate::Phase::Sandbox): no job ever runs without the
        /// sandbox.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        ///
        /// fn lock_down() {
        ///     // landlock, seccomp, … If it cannot be had, no job must run:
        ///     panic!("this kernel has no landlock");
        /// }
        ///
        /// let context = WorkerContext::builder().sandbox(lock_down).open()?;
        /// let refused = context.run_sync(|()| "untrusted".len(), ()).await;
        /// assert!(matches!(refused, Err(Error::Panicked(_))));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn sandbox(sandbox: fn()) |settings| settings.sandbox = Some(sandbox);
        get sandbox -> Option<fn()> |settings| settings.sandbox;
    }

    #[serde(with = "function")]
    preload: Option<fn()> = None => {
        /// For [`WorkerType::ForkServer`]: a function that the fork server runs once, before it forks the first worker.
        /// Every worker of the context has what it leaves in memory, shared until it is written to. Other types of
        /// worker do not run it.
        ///
        /// It must leave no thread behind: otherwise the call that needed the worker gets
        /// [`Error::Spawn`](crate::Error::Spawn), as it does when `preload` panics.
        ///
        /// **What it leaves in memory includes the state of random number generators: all workers would draw the same
        /// numbers.** offproc seeds those of std's `HashMap` and `RandomState` anew in each worker. Seed any other that
        /// `preload` has used (`rand::rng()`, `fastrand`, a generator of your own, one of a C library) in
        /// [`after_fork`](Self::after_fork).
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{WorkerContext, WorkerType};
        /// use std::sync::OnceLock;
        ///
        /// static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
        ///
        /// fn make_table() {
        ///     TABLE.get_or_init(|| (0..1000).map(|n| n * n).collect());
        /// }
        ///
        /// // The table is made once; all workers share its memory.
        /// let context = WorkerContext::builder().worker_type(WorkerType::ForkServer).preload(make_table).open()?;
        /// assert_eq!(context.run_sync(|n: usize| TABLE.get().map(|table| table[n]), 9).await?, Some(81));
        /// # context.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn preload(preload: fn()) |settings| settings.preload = Some(preload);
        get preload -> Option<fn()> |settings| settings.preload;
    }

    #[serde(with = "function")]
    after_fork: Option<fn()> = None => {
        /// For workers that are forked ([`WorkerType::ForkServer`] and [`WorkerType::fork`]): a function that runs in
        /// each of them once, before [`init`](Self::init) and all other code of the program. Use it for state that must
        /// differ between forks: seed random number generators, and open anew the connections that
        /// [`preload`](Self::preload) has opened.
        ///
        /// If it panics or ends the worker, the call gets the same errors as with [`init`](Self::init). With
        /// [`WorkerType::Spawn`] it is a [`ConfigError`](crate::ConfigError), as nothing is forked.
        ///
        /// **Default:** none.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{WorkerContext, WorkerType};
        /// use std::sync::atomic::{AtomicU32, Ordering};
        ///
        /// static SEED: AtomicU32 = AtomicU32::new(0);
        ///
        /// let context = WorkerContext::builder()
        ///     .worker_type(WorkerType::ForkServer)
        ///     .preload(|| SEED.store(4, Ordering::Relaxed)) // in all workers
        ///     .after_fork(|| SEED.store(std::process::id(), Ordering::Relaxed)) // or `fastrand::seed(..)`
        ///     .open()?;
        /// assert_ne!(context.run_sync(|()| SEED.load(Ordering::Relaxed), ()).await?, 4);
        /// # context.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn after_fork(after_fork: fn()) |settings| settings.after_fork = Some(after_fork);
        get after_fork -> Option<fn()> |settings| settings.after_fork;
    }

    #[serde(skip)]
    start_timeout: Duration = Duration::from_secs(60) => {
        /// How long a worker may take until it is ready for its first job, its [`init`](Self::init) function included.
        /// A worker that takes longer is killed, and the call gets [`Error::Spawn`](crate::Error::Spawn).
        /// [`Duration::MAX`]: without a limit.
        ///
        /// **Default:** 60 s. Zero is a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        /// use std::time::Duration;
        ///
        /// let hangs = || loop {
        ///     std::thread::park();
        /// };
        /// let context = WorkerContext::builder().init(hangs).start_timeout(Duration::from_millis(100)).open()?;
        /// let error = context.run_sync(|()| (), ()).await.unwrap_err();
        /// assert!(matches!(error, Error::Spawn(_)));
        /// assert!(error.to_string().contains("init function"), "{error}");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn start_timeout(timeout: Duration) |settings| settings.start_timeout = timeout;
        get start_timeout -> Duration |settings| settings.start_timeout;
    }
}

use super::signals::Signals;
use std::ffi::OsString;

settings! {
    /// # Surroundings
    ///
    /// A worker changes these itself after its start, before the constructors of other crates, `init` and the first
    /// job. If the system refuses one, the call gets an [`Error::Spawn`](crate::Error::Spawn) that names it.
    ///
    /// A new worker has what the program has at that moment: environment, working directory, umask, resource limits,
    /// and the niceness, CPUs and I/O priority of its first thread. **A cached worker stays as it was at its start**:
    /// it does not follow a program that changes its directory or its environment, and its directory may be gone.
    /// [`close`](crate::WorkerContext::close) a context whose workers must not outlive such a change, retire them after
    /// one job, or send paths and settings with the call.
    ///
    /// **No job runs with rights that the program has given up**: a worker that was started with other users, groups,
    /// capabilities, another root directory or without `no_new_privs` runs no further job, and such a fork server is
    /// replaced. offproc checks that before each of a worker's first 64 jobs, before each job whose worker was idle for
    /// a quarter of [`max_spin`](Self::max_spin), and once in 1024 jobs otherwise; so if calls follow each other
    /// without a pause, some may still run in a worker with the old rights. A job that runs goes on. offproc does not
    /// compare namespaces, security labels (SELinux, AppArmor), control groups, nor the system call filters and
    /// landlock rules of a privileged program. `offproc::shutdown` (or `close`) before the change leaves no worker.
    surroundings: Surroundings;

    environment: Vec<(OsString, Option<OsString>)> = Vec::new() => {
        /// Sets an environment variable in workers.
        ///
        /// A spawned worker has it from its first instruction on, so it works for what loader, C library and allocator
        /// read: `LD_LIBRARY_PATH`, `LD_PRELOAD`, `MALLOC_ARENA_MAX`, `GLIBC_TUNABLES`. So has a fork server, and
        /// [`preload`](Self::preload) in it. **The value of such a variable when the fork server starts holds for all
        /// its workers; in a [fork](crate::WorkerType::fork) of the program, a variable that was read at the program's
        /// start has no effect.**
        ///
        /// **Default:** the program's environment, when the worker starts.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().env("LANG", "C").env_remove("LC_ALL").open()?;
        /// assert_eq!(context.run_sync(|()| std::env::var("LANG").ok(), ()).await?.as_deref(), Some("C"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn env(name: impl Into<OsString>, value: impl Into<OsString>)
            |settings| settings.environment.push((name.into(), Some(value.into())));
        get env -> &[(OsString, Option<OsString>)] |settings| &settings.environment;

        /// Removes an environment variable in workers.
        ///
        /// **Default:** the program's environment.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().env_remove("PATH").open()?;
        /// assert!(context.run_sync(|()| std::env::var_os("PATH").is_none(), ()).await?);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn env_remove(name: impl Into<OsString>) |settings| settings.environment.push((name.into(), None));
    }

    directory: Option<OsString> = None => {
        /// The working directory of workers. A relative path is relative to the program's directory when the worker
        /// starts, for all types of worker. If the directory does not exist when a worker starts, the call gets
        /// [`Error::Spawn`](crate::Error::Spawn).
        ///
        /// **Default:** that of the program, when the worker starts.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        /// use std::path::Path;
        ///
        /// let context = WorkerContext::builder().current_dir("/").open()?;
        /// let directory = context.run_sync(|()| std::env::current_dir().ok(), ()).await?;
        /// assert_eq!(directory.as_deref(), Some(Path::new("/")));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn current_dir(directory: impl Into<PathBuf>)
            |settings| settings.directory = Some(directory.into().into_os_string());
        get current_dir -> Option<&Path> |settings| settings.directory.as_deref().map(Path::new);
    }

    #[serde(skip)]
    inherit_descriptors: bool = false => {
        /// Whether workers inherit the program's descriptors that are not close-on-exec. With `false`, a worker has the
        /// standard three, and those that calls send. Inherited ones would keep ports taken, and pipes open, for as
        /// long as there is a worker.
        ///
        /// With `true`, a spawned worker has what is open in the program at its start, and a worker of a fork server
        /// what was open when that started. With [`WorkerType::fork`](crate::WorkerType::fork) it is a
        /// [`ConfigError`](crate::ConfigError).
        ///
        /// **Default:** `false`.
        ///
        /// # Platform-specific behaviour
        ///
        /// Before Linux 5.11, `false` works only if the program may call `unshare(CLONE_FILES)`.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // For a library that needs a descriptor which the program was started with.
        /// let context = WorkerContext::builder().inherit_descriptors(true).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn inherit_descriptors(inherit: bool) |settings| settings.inherit_descriptors = inherit;
        get inherit_descriptors -> bool |settings| settings.inherit_descriptors;
    }

    nice: Option<i32> = None => {
        /// The niceness of workers, from -20 to 19: the higher, the less CPU time they get beside other processes.
        /// Without privileges, no lower than that of the thread that starts the worker.
        ///
        /// **Default:** that of the program's first thread.
        ///
        /// # Errors
        ///
        /// A number outside that range is a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // Workers get little CPU time while other processes want it.
        /// let context = WorkerContext::builder().nice(19).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn nice(nice: i32) |settings| settings.nice = Some(nice);
        get nice -> Option<i32> |settings| settings.nice;
    }

    cpus: Option<Vec<usize>> = None => {
        /// The CPUs that workers may run on, by number.
        ///
        /// **Default:** those of the program's first thread.
        ///
        /// # Platform-specific behaviour
        ///
        /// Linux only. Elsewhere a worker cannot be started with it: [`Error::Spawn`](crate::Error::Spawn).
        ///
        /// # Errors
        ///
        /// No CPU at all, and only CPUs that the program cannot run on, are a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// // CPU 0 is left to the program.
        /// # if std::thread::available_parallelism().unwrap().get() > 2 {
        /// let context = WorkerContext::builder().cpu_affinity([1, 2]).open()?;
        /// # }
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn cpu_affinity(cpus: impl IntoIterator<Item = usize>)
            |settings| settings.cpus = Some(cpus.into_iter().collect());
        get cpu_affinity -> Option<&[usize]> |settings| settings.cpus.as_deref();
    }

    signals: Signals = Signals::default() => {
        /// Which signals reach workers.
        ///
        /// **Default:** [`Signals::Inherit`].
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::{Signals, WorkerContext};
        ///
        /// // For a service whose manager sends SIGTERM to all its processes.
        /// let context = WorkerContext::builder().signals(Signals::IgnoreTerminate).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn signals(signals: Signals) |settings| settings.signals = signals;
        get signals -> Signals |settings| settings.signals;
    }
}

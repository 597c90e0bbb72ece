use std::net::SocketAddr;
use std::time::Duration;

/// How jobs and answers travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Through memory that the program and each worker share; if the system has none, as with `Stream`.
    #[default]
    SharedMemory,
    /// Through a socket.
    Stream,
}

settings! {
    /// # Transport
    ///
    /// How jobs and answers travel, and how each side waits for them.
    transport: TransportSettings;

    #[serde(skip)]
    transport: Transport = Transport::default() => {
        /// How jobs and answers travel.
        ///
        /// **Default:** [`Transport::SharedMemory`], if the system has it.
        ///
        /// # Platform-specific behaviour
        ///
        /// Only Linux has [`Transport::SharedMemory`]; elsewhere, and with a limit on
        /// [`Resource::FileSize`](crate::Resource::FileSize), it means [`Transport::Stream`].
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Transport, WorkerContext};
        ///
        /// // Fewer descriptors and less memory for each worker.
        /// let context = WorkerContext::builder().transport(Transport::Stream).open()?;
        /// assert_eq!(context.run_sync(|n: u32| n + 1, 1).await?, 2);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn transport(transport: Transport) |settings| settings.transport = transport;
        get transport -> Transport |settings| settings.transport;
    }

    max_spin: Duration = Duration::from_micros(50) => {
        /// The longest time for which a worker spins for its next job before it sleeps. With [`Duration::ZERO`] neither
        /// workers nor calls spin.
        ///
        /// Spinning makes a call that follows another many times cheaper, as neither side has to be woken. A spinning
        /// worker yields the CPU to any process that waits for it, and learns for how long spinning pays. The stream
        /// transport does not spin.
        ///
        /// **Default:** 50 µs.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// // For a machine whose CPUs are all in use: no CPU time is spent on spinning.
        /// let context = WorkerContext::builder().max_spin(Duration::ZERO).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        #[doc(alias = "spin")]
        fn max_spin(most: Duration) |settings| settings.max_spin = most;
        get max_spin -> Duration |settings| settings.max_spin;
    }

    #[serde(skip)]
    heartbeat: Duration = Duration::from_secs(5) => {
        /// For [`WorkerType::command`](crate::WorkerType::command): how often program and worker send each other that
        /// they live. When three are missing, the other side counts as gone: the worker ends, and its call gets
        /// [`Error::BrokenWorker`](crate::Error::BrokenWorker).
        ///
        /// **Default:** 5 s. Zero is a [`ConfigError`](crate::ConfigError).
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        /// use std::time::Duration;
        ///
        /// let context = WorkerContext::builder().heartbeat(Duration::from_secs(1)).open()?;
        /// assert_eq!(context.heartbeat(), Duration::from_secs(1));
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn heartbeat(every: Duration) |settings| settings.heartbeat = every;
        get heartbeat -> Duration |settings| settings.heartbeat;
    }

    #[serde(skip)]
    connect_back: Option<SocketAddr> = None => {
        /// For [`WorkerType::command`](crate::WorkerType::command): an address of this machine, and a port (0 for any),
        /// to which workers connect back by TCP. It is faster than the stdin and stdout of most launchers. A worker
        /// shows by a token, which came to it over its stdin and is good for one connection, that it was started here.
        ///
        /// **The connection is not encrypted**: use it in a network that you trust. An address of all interfaces is a
        /// [`ConfigError`](crate::ConfigError).
        ///
        /// **Default:** none; stdin and stdout of the command carry everything.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::{WorkerContext, WorkerType};
        /// use std::process::Command;
        ///
        /// let workers = WorkerType::command(|_| {
        ///     let mut srun = Command::new("srun");
        ///     srun.args(["-N1", "-n1", "-u", "program", "--worker"]);
        ///     srun
        /// });
        /// let context = WorkerContext::builder()
        ///     .worker_type(workers)
        ///     .max_concurrency(16)
        ///     .connect_back(([192, 0, 2, 1], 0).into())
        ///     .open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn connect_back(address: SocketAddr) |settings| settings.connect_back = Some(address);
        get connect_back -> Option<SocketAddr> |settings| settings.connect_back;
    }

    max_message_size: usize = 1 << 30 => {
        /// The largest argument or result, in serialised bytes. A larger one is an
        /// [`Error::Encode`](crate::Error::Encode).
        ///
        /// **Default:** 1 GiB. Less than 1 KiB is a [`ConfigError`](crate::ConfigError).
        ///
        /// Over shared memory, a worker's memory for arguments and results keeps what its largest job has needed, up
        /// to 16 MiB. What larger ones needed is kept, too, as long as one of every 8 jobs of that worker needs it and
        /// all workers of the program keep at most 256 MiB of it together; else it goes back to the system with the
        /// answer.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{Error, WorkerContext};
        ///
        /// let context = WorkerContext::builder().max_message_size(1 << 20).open()?;
        /// let too_large = context.run_sync(|text: String| text.len(), "x".repeat(2 << 20)).await;
        /// assert!(matches!(too_large, Err(Error::Encode(_))));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        #[doc(alias = "frame_limit")]
        fn max_message_size(bytes: usize) |settings| settings.max_message_size = bytes;
        get max_message_size -> usize |settings| settings.max_message_size;
    }
}

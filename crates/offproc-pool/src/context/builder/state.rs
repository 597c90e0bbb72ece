use super::WorkerContextBuilder;
use crate::context::per_worker::{PerWorker, WorkerSettings};
use offproc_core::{ConfigError, StateMaker};
use serde::{Serialize, de::DeserializeOwned};

/// # State
///
/// What one worker has, and the others have not.
impl WorkerContextBuilder {
    /// How each worker makes its state, `make(value)`, for the jobs of [`run_with`](crate::run_with()): a model that
    /// is loaded once, a connection, a buffer. As `init`, with a value, and a result that stays in the worker.
    ///
    /// The value is serialised once, when the context is opened, and each worker gets a copy of it. `make` runs once
    /// in each, after [`init`](Self::init) and before its first job; the program itself never runs it, nor does a
    /// fork server. The state never travels, so it can be of any type, also one that is not `Send`: it stays on the
    /// thread that runs the jobs. [`run_sync`](crate::WorkerContext::run_sync) works as in any other context, and
    /// does not touch it.
    ///
    /// A panic in `make`, and the death of the worker in it, are errors of the call, as in [`init`](Self::init); the
    /// [start timeout](Self::start_timeout) includes it. A job of `run_with` that panics costs the state: the worker
    /// drops it at once, and makes another when the next call of `run_with` gets that worker, with the value as it
    /// was. In a [sandbox](Self::sandbox), where that may be impossible, that call gets another worker instead. A
    /// worker that dies or leaves is replaced by one with a state of its own.
    /// [`Statistics::states_built`](crate::Statistics::states_built) counts them.
    ///
    /// When a worker leaves, it drops its state, and then ends; what is killed drops nothing. A `Drop` that panics is
    /// printed to stderr, and does no other harm; one that takes longer than the
    /// [grace period](Self::grace_period) of a worker that was asked to leave is cut off.
    ///
    /// **Default:** no state. The last one that is set holds.
    ///
    /// # Errors
    ///
    /// A value that cannot be serialised, or is larger than [`max_message_size`](Self::max_message_size), is a
    /// [`ConfigError`](crate::ConfigError).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::WorkerContext;
    ///
    /// struct Table {
    ///     squares: Vec<u64>,
    /// }
    ///
    /// let context = WorkerContext::builder()
    ///     .init_with(1000, |size: u64| Table { squares: (0..size).map(|n| n * n).collect() })
    ///     .open()?;
    /// let square = context.run_with(|table: &mut Table, n: usize| table.squares.get(n).copied(), 9).await?;
    /// assert_eq!(square, Some(81));
    /// assert_eq!(context.statistics().states_built, 1);
    /// # context.close().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn init_with<V, S>(mut self, value: V, make: fn(V) -> S) -> Self
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
        S: 'static,
    {
        self.settings.worker.state = Some(StateMaker::new(value, make));
        self
    }

    /// Settings that differ from worker to worker: a GPU or a core each, a folder, a port. `adjust` gets the
    /// [index](https://docs.rs/offproc/latest/offproc/fn.worker_index.html) of a worker that is about to start, and its
    /// settings; what it does not set is as the context has it.
    ///
    /// It runs in the program, once for each start of a worker, on a thread of offproc's; starts of other workers go on
    /// meanwhile. If it panics, or sets a value that cannot work, the call gets [`Error::Spawn`](crate::Error::Spawn),
    /// which names the index.
    ///
    /// A worker has these settings from its start on, as it has those of the context, with all types of worker. An
    /// index is used again when its worker has ended: if another worker would otherwise get one that is not below the
    /// number of tokens, it waits for one that is leaving.
    ///
    /// **Default:** all workers have the same settings. The last one that is set holds.
    ///
    /// # Platform-specific behaviour
    ///
    /// As for the settings of the context.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::{WorkerContext, worker_index};
    ///
    /// let context = WorkerContext::builder()
    ///     .max_concurrency(2)
    ///     .per_worker(|index, worker| {
    ///         worker.env("CUDA_VISIBLE_DEVICES", index.to_string()).nice(5);
    ///     })
    ///     .open()?;
    /// let device = |()| (worker_index(), std::env::var("CUDA_VISIBLE_DEVICES").ok());
    /// let (index, gpu) = context.run_sync(device, ()).await?;
    /// assert_eq!((index, gpu.as_deref()), (Some(0), Some("0")));
    /// # context.close().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn per_worker(mut self, adjust: impl Fn(usize, &mut WorkerSettings) + Send + Sync + 'static) -> Self {
        self.settings.pool.per_worker = Some(PerWorker::new(adjust));
        self
    }
}

impl WorkerContextBuilder {
    pub(crate) fn encode_state(&mut self) -> Result<(), ConfigError> {
        let worker = &mut self.settings.worker;
        let encoded = worker.state.as_mut().map_or(Ok(()), |state| state.encode(worker.transport.max_message_size));
        encoded.map_err(|e| ConfigError::new(format!("the value for `init_with`: {e}")))
    }
}

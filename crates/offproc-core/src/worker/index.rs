//! The index of this worker among those of its context.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Not the index of any worker: this process is none, or a fork server.
const NONE: usize = usize::MAX;

static INDEX: AtomicUsize = AtomicUsize::new(NONE);

/// The index of this worker, for what there is one of for each worker: a GPU, a core, a port, a scratch folder. `None`
/// outside of workers, and in
/// [`preload`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.preload).
///
/// Each worker of a context has the lowest index that is free when it starts, keeps it until it has ended, however it
/// ends, and no two have the same at a time. So as long as a context has no more workers than its limiter has tokens,
/// each index is below that number. It has more of them where
/// [`warm_up`](https://docs.rs/offproc/latest/offproc/struct.WorkerContext.html#method.warm_up) or
/// [`spare_workers`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.spare_workers) asks
/// for more, where calls take their tokens from other limiters, or where the number of tokens was lowered. In a context
/// with [`per_worker`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.per_worker) or
/// [`init_with`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.init_with), a worker
/// that would get a higher one, as others have been asked to leave and have not ended, starts once one of those has
/// ended; in other contexts it starts at once, with the higher index.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), offproc::Error> {
/// use offproc::{run_sync, worker_index};
///
/// assert_eq!(worker_index(), None);
/// assert_eq!(run_sync(|()| worker_index(), ()).wait()?, Some(0));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn worker_index() -> Option<usize> {
    Some(INDEX.load(Ordering::Relaxed)).filter(|index| *index != NONE)
}

/// This process is a worker with that index, or none.
pub(super) fn set(index: Option<usize>) {
    INDEX.store(index.unwrap_or(NONE), Ordering::Relaxed);
}

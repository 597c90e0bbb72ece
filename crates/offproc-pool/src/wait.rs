//! The blocking form of each future of offproc's: `.wait()`.

use crate::call::{RunSync, TimedCall};
use crate::context::{Close, CloseWithin, Shutdown, WarmUp};
use crate::limiter::{Acquire, Permit};
use crate::timing::CallTimes;
use offproc_core::{BrokenWorkerError, Error, Transfer, wait};

impl<A, R> RunSync<A, R>
where
    A: Transfer,
    R: Transfer,
{
    /// Makes the call and blocks the calling thread until the result is there.
    ///
    /// The thread waits for the answer itself, with offproc's own timer, never on the caller's runtime. So it works
    /// where there is no runtime, inside any, on the only thread of one, and in a job; also for a context that is
    /// [pinned](crate::WorkerContextBuilder::runtime) to a runtime. Inside a runtime it blocks one of its threads, like
    /// any blocking code: if that matters, await the call.
    ///
    /// A call that has been polled goes on from where it is.
    ///
    /// # Errors
    ///
    /// As the call itself: see [`Error`].
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::run_sync;
    ///
    /// fn checksum(bytes: Vec<u8>) -> u32 {
    ///     bytes.into_iter().map(u32::from).sum()
    /// }
    ///
    /// // A plain function of a library, which does not know what its callers run in.
    /// fn blocking_checksum(bytes: Vec<u8>) -> Result<u32, offproc::Error> {
    ///     run_sync(checksum, bytes).wait()
    /// }
    ///
    /// assert_eq!(blocking_checksum(vec![1, 2, 3])?, 6);
    /// # Ok::<(), offproc::Error>(())
    /// ```
    pub fn wait(self) -> Result<R, Error> {
        wait(self)
    }
}

impl<A, R> TimedCall<A, R>
where
    A: Transfer,
    R: Transfer,
{
    /// Makes the call and blocks the calling thread until the result is there, as [`RunSync::wait`] does.
    pub fn wait(self) -> (Result<R, Error>, CallTimes) {
        wait(self)
    }
}

impl Acquire {
    /// Blocks the calling thread until there is a token, whatever runtime it belongs to.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::Limiter;
    ///
    /// let limiter = Limiter::new(1);
    /// let permit = limiter.acquire().wait();
    /// assert_eq!(limiter.available_tokens(), 0);
    /// # drop(permit);
    /// ```
    pub fn wait(self) -> Permit {
        wait(self)
    }
}

impl Close {
    /// Closes the context and blocks the calling thread until that is done, whatever runtime it belongs to.
    ///
    /// # Errors
    ///
    /// As [`WorkerContext::close`](crate::WorkerContext::close).
    pub fn wait(self) -> Result<(), BrokenWorkerError> {
        wait(self)
    }
}

impl CloseWithin {
    /// Closes the context and blocks the calling thread until that is done, whatever runtime it belongs to.
    ///
    /// # Errors
    ///
    /// As [`WorkerContext::close_within`](crate::WorkerContext::close_within).
    pub fn wait(self) -> Result<(), BrokenWorkerError> {
        wait(self)
    }
}

impl Shutdown {
    /// Shuts the default context down and blocks the calling thread until that is done, whatever runtime it belongs to.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](crate::shutdown()).
    pub fn wait(self) -> Result<(), BrokenWorkerError> {
        wait(self)
    }
}

impl WarmUp {
    /// Starts the workers and blocks the calling thread until they are ready, whatever runtime it belongs to.
    ///
    /// # Errors
    ///
    /// As [`WorkerContext::warm_up`](crate::WorkerContext::warm_up).
    pub fn wait(self) -> Result<(), Error> {
        wait(self)
    }
}

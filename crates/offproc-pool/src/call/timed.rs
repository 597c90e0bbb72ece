//! A timed call.

use super::run_sync::RunSync;
use crate::timing::{CallTimes, Clocks};
use futures_core::FusedFuture;
use offproc_core::{Error, Station, Transfer};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of a timed call; see [`RunSync::timed`].
///
/// # Panics
///
/// When polled after it has resolved.
///
/// # Cancel safety
///
/// As [`run_sync`](crate::run_sync()).
#[derive(Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct TimedCall<A, R> {
    pub(super) call: RunSync<A, R>,
    pub(super) clocks: Clocks,
}

impl<A, R> RunSync<A, R> {
    /// Measures how long the call waited, how long its worker took to start, and how long the job ran. It returns
    /// another future, so make all settings before it.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use offproc::run_sync;
    ///
    /// let (result, times) = run_sync(|x: u32| x + 1, 1).timed().await;
    /// assert_eq!(result?, 2);
    /// println!("{:?} queued, {:?} starting, {:?} running", times.queued, times.starting, times.running);
    /// # Ok::<(), offproc::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn timed(mut self) -> TimedCall<A, R> {
        let clocks = Clocks::default();
        self.options().clocks = Some(clocks.clone());
        TimedCall { call: self, clocks }
    }
}

impl<A, R> Future for TimedCall<A, R>
where
    A: Transfer,
    R: Transfer,
{
    type Output = (Result<R, Error>, CallTimes);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.call.has_begun() {
            self.clocks.enter(Station::Queued);
        }
        Pin::new(&mut self.call).poll(cx).map(|result| (result, self.clocks.stop()))
    }
}

impl<A, R> FusedFuture for TimedCall<A, R>
where
    A: Transfer,
    R: Transfer,
{
    fn is_terminated(&self) -> bool {
        self.call.is_terminated()
    }
}

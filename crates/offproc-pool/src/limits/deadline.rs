//! When a call has to be over, wherever it is.

use crate::timing::Stopwatch;
use offproc_core::{Sleep, sleep};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// The deadline of a call, its timeout, or both: the one that passes first holds.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    pub(crate) at: Option<Instant>,
    pub(crate) timeout: Option<Duration>,
    // Runs from the first poll on, if there is a timeout. It stands still while the program is stopped.
    stopwatch: Option<Stopwatch>,
    // Rings when the deadline may have passed, and never later.
    alarm: Option<Sleep>,
}

impl Deadline {
    /// The timeout counts from here on.
    pub(crate) fn begin(&mut self) {
        self.timeout = self.timeout.filter(|timeout| *timeout != Duration::MAX);
        self.stopwatch = self.timeout.map(|_| Stopwatch::start());
    }

    /// How long ago it passed; `None` if it has not passed.
    pub(crate) fn overdue(&self) -> Option<Duration> {
        let since_deadline = self.at.and_then(|at| Instant::now().checked_duration_since(at));
        let since_timeout =
            self.timeout.zip(self.elapsed()).and_then(|(timeout, elapsed)| elapsed.checked_sub(timeout));
        since_deadline.max(since_timeout)
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.overdue().is_some()
    }

    /// Ready once it has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.has_passed() {
            let left = self.left();
            let alarm = self.alarm.get_or_insert_with(|| sleep(left));
            ready!(Pin::new(alarm).poll(cx));
            self.alarm = None;
        }
        Poll::Ready(())
    }

    /// How much time is left, if the program is not stopped meanwhile.
    fn left(&self) -> Duration {
        let to_deadline = self.at.map(|at| at.saturating_duration_since(Instant::now()));
        let to_timeout = self.timeout.zip(self.elapsed()).map(|(timeout, elapsed)| timeout.saturating_sub(elapsed));
        to_deadline.into_iter().chain(to_timeout).min().unwrap_or(Duration::MAX)
    }

    fn elapsed(&self) -> Option<Duration> {
        self.stopwatch.as_ref().map(Stopwatch::elapsed)
    }
}

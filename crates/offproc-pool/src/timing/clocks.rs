//! The times of a call: three clocks, one of which runs at a time.

use offproc_core::Station;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a call took, from its first poll to its result; see [`RunSync::timed`](crate::RunSync::timed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallTimes {
    /// Waiting: for a token of the limiter, or for a worker that had not decided yet whether it retires, or for the
    /// pause after failed starts.
    pub queued: Duration,
    /// Starting a worker, its `init` function included; zero where one was idle.
    pub starting: Duration,
    /// From when the job was handed to the worker until its answer was there: the argument's way and the result's way
    /// included.
    pub running: Duration,
}

impl CallTimes {
    /// All three together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.queued + self.starting + self.running
    }
}

/// The clocks of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    times: CallTimes,
    now: Option<(Station, Instant)>,
    worker: Option<u32>,
}

impl Clocks {
    /// The clock of this station runs from now on.
    pub(crate) fn enter(&self, station: Station) {
        self.change(Some(station));
    }

    /// The job goes to this worker, and the clock of its running runs from now on.
    pub(crate) fn run(&self, worker: u32) {
        self.enter(Station::Running);
        self.lock().worker = Some(worker);
    }

    /// The process id of the worker that has, or had, the job.
    #[cfg(feature = "tracing")]
    pub(crate) fn worker(&self) -> Option<u32> {
        self.lock().worker
    }

    /// The station whose clock runs.
    pub(crate) fn station(&self) -> Option<Station> {
        let state = self.lock();
        state.now.map(|(station, _)| station)
    }

    /// Stops all of them, and returns their times.
    pub(crate) fn stop(&self) -> CallTimes {
        self.change(None)
    }

    /// The worker had left, so the time counted as running was waiting.
    pub(crate) fn has_not_run(&self) {
        let mut state = self.lock();
        state.worker = None;
        if let Some((station, _)) = &mut state.now {
            *station = Station::Queued;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, station: Option<Station>) -> CallTimes {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some((before, since)) = state.now.take() {
            let time = now.saturating_duration_since(since);
            match before {
                Station::Queued => state.times.queued += time,
                Station::Starting => state.times.starting += time,
                // `Running`: there are no others.
                _ => state.times.running += time,
            }
        }
        state.now = station.map(|station| (station, now));
        state.times
    }
}

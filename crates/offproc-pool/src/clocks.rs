//! Where the time of a call goes: three clocks, one of which runs at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a call took, from its first poll to its result; see [`RunSync::timed`](crate::RunSync::timed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallTimes {
    /// Waiting: for a token of the limiter, or for a worker that could not say yet whether it retires, or until a
    /// context whose workers fail to start tries again.
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

/// What a call spends its time on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Station {
    Queued,
    Starting,
    Running,
}

/// The clocks of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    times: CallTimes,
    now: Option<(Station, Instant)>,
}

impl Clocks {
    /// The clock of this station runs from now on.
    pub(crate) fn enter(&self, station: Station) {
        self.change(Some(station));
    }

    /// None runs any more; what they show.
    pub(crate) fn stop(&self) -> CallTimes {
        self.change(None)
    }

    /// What was taken for running was waiting: the worker turned out to have left.
    pub(crate) fn has_not_run(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((station, _)) = &mut state.now {
            *station = Station::Queued;
        }
    }

    fn change(&self, station: Option<Station>) -> CallTimes {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, since)) = state.now.take() {
            let time = now.saturating_duration_since(since);
            match before {
                Station::Queued => state.times.queued += time,
                Station::Starting => state.times.starting += time,
                Station::Running => state.times.running += time,
            }
        }
        state.now = station.map(|station| (station, now));
        state.times
    }
}

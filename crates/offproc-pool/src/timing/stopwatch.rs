//! The clock for time limits. It stands still while the program, and usually its workers, are stopped (SIGTSTP,
//! SIGSTOP): no system clock does that.
//!
//! While there is something to measure, the background thread updates it every [`PERIOD`]. If there was no update for
//! much longer, the program was stopped meanwhile, and no more than [`MOST`] of that counts. On a machine so busy that
//! the thread does not run for that long, limits pass later, never earlier.

use offproc_core::{is_forked, sleep, spawn_background};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(40);
const MOST: Duration = Duration::from_millis(120);

static CLOCK: Mutex<Clock> = Mutex::new(Clock { ran: Duration::ZERO, looked: None, stopwatches: 0, ticks: false });

#[derive(Debug)]
struct Clock {
    ran: Duration,
    /// When that was so.
    looked: Option<Instant>,
    stopwatches: usize,
    /// The background thread updates it.
    ticks: bool,
}

impl Clock {
    fn lock() -> MutexGuard<'static, Self> {
        CLOCK.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&mut self, now: Instant) -> Duration {
        let since = self.looked.map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        self.looked = Some(now);
        self.ran += since.min(MOST);
        self.ran
    }
}

/// Measures how long the program has run.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    began: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let mut clock = Clock::lock();
        clock.stopwatches += 1;
        let began = clock.look(Instant::now());
        let ticks = std::mem::replace(&mut clock.ticks, true);
        drop(clock);
        if !ticks {
            spawn_background(tick());
        }
        Self { began }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Clock::lock().look(Instant::now()).saturating_sub(self.began)
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if is_forked() {
            return; // in a fork, which may lack the thread that had locked the clock
        }
        Clock::lock().stopwatches -= 1;
    }
}

/// Updates the clock as long as there is something to measure.
async fn tick() {
    loop {
        sleep(PERIOD).await;
        let mut clock = Clock::lock();
        clock.look(Instant::now());
        if clock.stopwatches == 0 {
            clock.ticks = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_counts_no_more_than_its_first_moment() {
        let mut clock = Clock { ran: Duration::ZERO, looked: None, stopwatches: 1, ticks: true };
        let start = Instant::now();
        let after = |periods| start + PERIOD * periods;
        assert_eq!(clock.look(start), Duration::ZERO);
        assert_eq!(clock.look(after(1)), PERIOD);
        assert_eq!(clock.look(after(2)), PERIOD * 2);
        assert_eq!(clock.look(after(1000)), PERIOD * 2 + MOST);
        assert_eq!(clock.look(after(1001)), PERIOD * 3 + MOST);
    }
}

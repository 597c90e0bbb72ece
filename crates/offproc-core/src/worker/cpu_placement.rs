//! On which CPU a worker waits for its caller. The page on sleeping and waking, in `wire/shm/README.md`, says why.

use crate::sys::cpu;
use std::time::{Duration, Instant};

/// Keeps the worker on the right CPU for a caller that makes one short call after the other.
///
/// On two CPUs, each side sees at once what the other writes; on one, they can only alternate, by way of the scheduler.
/// Yet Linux leaves two tasks that wake each other on one CPU, next to an idle one, where few CPUs share a cache
/// (`SIS_UTIL`: with a part of them in use, it no longer looks for an idle one). So the worker migrates off the
/// caller's CPU. If CPUs are contended, the opposite holds: waking a worker on another CPU takes longer than
/// alternating on one.
#[derive(Debug)]
pub(super) struct CpuPlacement {
    misplaced: u32,
    last_answer: Instant,
    moved: Instant,
    pause: Duration,
    // Answers given from the right CPU since the last move.
    well_placed: u32,
}

impl CpuPlacement {
    /// So many answers in a row to a caller on the wrong CPU...
    const MISPLACED: u32 = 4;
    /// ...no more than this apart: for a caller that calls rarely, the same CPU is best, as another would have to wake
    /// from idle.
    const APART: Duration = Duration::from_micros(50);
    /// A move has paid if so many answers from the right CPU followed it.
    const PAID: u32 = 16;
    /// How long to stay after a move, at least. It doubles each time that a move has not paid.
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { misplaced: 0, last_answer: now, moved: now, pause: Duration::ZERO, well_placed: 0 }
    }

    /// The worker has answered a caller that sees the answer without a doorbell.
    pub(super) fn seen(&mut self) {
        self.well_placed = self.well_placed.saturating_add(1);
    }

    /// The worker has answered a caller that sleeps, on that CPU. `contended`: the CPU is contended.
    pub(super) fn rang(&mut self, callers: u32, contended: bool) {
        let own = cpu::current();
        if callers == cpu::UNKNOWN || !self.is_misplaced(own == callers, contended) || !self.may_move(Instant::now()) {
            return;
        }
        let moved = if contended { cpu::join(callers) } else { cpu::leave(own) };
        if moved {
            self.moved = Instant::now();
        } else {
            self.pause = Duration::MAX;
        }
    }

    fn is_misplaced(&mut self, together: bool, contended: bool) -> bool {
        if together != contended {
            return true;
        }
        self.misplaced = 0;
        self.well_placed = self.well_placed.saturating_add(u32::from(contended));
        false
    }

    /// Whether to move, after one more answer from the wrong CPU.
    fn may_move(&mut self, now: Instant) -> bool {
        let apart = now - std::mem::replace(&mut self.last_answer, now);
        self.misplaced = if apart < Self::APART { self.misplaced + 1 } else { 0 };
        if self.misplaced < Self::MISPLACED || now - self.moved < self.pause {
            return false;
        }
        self.misplaced = 0;
        let paid = std::mem::take(&mut self.well_placed) >= Self::PAID;
        self.pause = if paid { Self::LEAST } else { (self.pause * 2).clamp(Self::LEAST, Self::MOST) };
        true
    }
}

#[cfg(test)]
mod tests;

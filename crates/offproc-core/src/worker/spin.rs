//! What makes calls one after the other fast: looking for the next job before sleeping, on the right CPU.

use crate::sys::cpu;
use std::time::{Duration, Instant};

/// Looks for the next job for a while before it sleeps: politely, so that a process that waits for this CPU gets it,
/// and only as long as that has paid.
#[derive(Debug)]
pub(super) struct Spin {
    most: Duration,
    budget: Duration,
    // When the last look in vain began.
    began: Option<Instant>,
    // When it has lost its CPU to others, and how long it goes without looking since.
    lost: Instant,
    rest: Duration,
    hits: u32,
}

impl Spin {
    const LEAST: Duration = Duration::from_micros(1);
    /// Whoever yields the CPU and gets it back only after this time has given it to a process that computes; a worker
    /// that sleeps would get it back sooner, for it is woken when it has a job.
    const LOST: Duration = Duration::from_micros(200);
    /// How long to go without after that: twice as long each time.
    const LEAST_REST: Duration = Duration::from_millis(4);
    const MOST_REST: Duration = Duration::from_millis(256);
    /// So many jobs found without a loss halve that time; below the least, nobody else computes any more.
    const QUIET: u32 = 512;
    /// Nor after this time without one.
    const FORGOTTEN: Duration = Duration::from_secs(1);

    pub(super) fn new(most: Duration) -> Self {
        Self { most, budget: most, began: None, lost: Instant::now(), rest: Duration::ZERO, hits: 0 }
    }

    pub(super) fn until<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if let Some(found) = look() {
            return Some(found);
        }
        if self.most.is_zero() {
            return None; // no look at the clock either
        }
        let start = Instant::now();
        self.began = Some(start);
        if self.is_contended() {
            let ago = start - self.lost;
            if ago < self.rest {
                return None;
            }
            if ago > Self::FORGOTTEN {
                self.rest = Duration::ZERO;
            }
        }
        let mut spent = Duration::ZERO;
        loop {
            for _ in 0..64 {
                std::hint::spin_loop();
                if let Some(found) = look() {
                    self.grow();
                    self.hit();
                    return Some(found);
                }
            }
            let now = start.elapsed();
            if now - spent > Self::LOST {
                self.lose();
                return None;
            }
            spent = now;
            if spent >= self.budget {
                self.budget = (self.budget / 2).max(Self::LEAST).min(self.most);
                return None;
            }
            rustix::thread::sched_yield();
        }
    }

    /// A job came, after a look in vain. Had a longer look found it, the next one is longer: otherwise two sides that
    /// both sleep, and so take long to wake, would never find out that neither need.
    pub(super) fn woken(&mut self) {
        if self.began.take().is_some_and(|began| began.elapsed() < self.most) {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.budget = self.budget.saturating_mul(2).min(self.most);
    }

    /// True when others have lately used the CPU that it looked on.
    pub(super) fn is_contended(&self) -> bool {
        !self.rest.is_zero()
    }

    fn hit(&mut self) {
        self.hits += 1;
        if self.hits >= Self::QUIET {
            self.hits = 0;
            self.rest = Some(self.rest / 2).filter(|rest| *rest >= Self::LEAST_REST).unwrap_or_default();
        }
    }

    fn lose(&mut self) {
        self.hits = 0;
        self.rest = (self.rest * 2).clamp(Self::LEAST_REST, Self::MOST_REST);
        self.lost = Instant::now();
    }
}

/// Keeps the worker on the right CPU for a caller that makes one short call after the other.
///
/// On two CPUs, each sees what the other writes at once; on one, they can only take turns, by way of the scheduler. Yet
/// Linux leaves two that wake each other on one CPU, next to an idle one, where few CPUs share a cache (`SIS_UTIL`: with
/// a part of them in use, it does not look for an idle one any more). So the worker steps aside. Where others compute,
/// it is the other way round: waking a worker on another CPU takes longer than taking turns.
#[derive(Debug)]
pub(super) struct Place {
    wrong: u32,
    answered: Instant,
    moved: Instant,
    pause: Duration,
    // Answers given from the right place since the last move.
    right: u32,
}

impl Place {
    /// So many answers in a row to a caller on the wrong CPU...
    const WRONG: u32 = 4;
    /// ...no more than this apart: for a caller that calls now and then, the same CPU is best, since another would have
    /// to be woken for it.
    const APART: Duration = Duration::from_micros(50);
    /// A move has paid when it was followed by so many answers from the right place.
    const PAID: u32 = 16;
    /// How long to stay after a move, at least. Twice as long each time that it has not paid.
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { wrong: 0, answered: now, moved: now, pause: Duration::ZERO, right: 0 }
    }

    /// An answer was given that the caller will see without a bell.
    pub(super) fn seen(&mut self) {
        self.right = self.right.saturating_add(1);
    }

    /// An answer was given to a caller that sleeps, on that CPU. `contended`: others compute.
    pub(super) fn rang(&mut self, callers: u32, contended: bool) {
        let own = cpu::current();
        if callers == cpu::UNKNOWN || !self.is_wrong(own == callers, contended) || !self.may_move(Instant::now()) {
            return;
        }
        let moved = if contended { cpu::join(callers) } else { cpu::leave(own) };
        if moved {
            self.moved = Instant::now();
        } else {
            self.pause = Duration::MAX;
        }
    }

    fn is_wrong(&mut self, together: bool, contended: bool) -> bool {
        if together != contended {
            return true;
        }
        self.wrong = 0;
        self.right = self.right.saturating_add(u32::from(contended));
        false
    }

    /// Whether it is time to move, after one more answer from the wrong place.
    fn may_move(&mut self, now: Instant) -> bool {
        let apart = now - std::mem::replace(&mut self.answered, now);
        self.wrong = if apart < Self::APART { self.wrong + 1 } else { 0 };
        if self.wrong < Self::WRONG || now - self.moved < self.pause {
            return false;
        }
        self.wrong = 0;
        let paid = std::mem::take(&mut self.right) >= Self::PAID;
        self.pause = if paid { Self::LEAST } else { (self.pause * 2).clamp(Self::LEAST, Self::MOST) };
        true
    }
}

#[cfg(test)]
mod tests;

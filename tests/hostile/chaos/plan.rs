//! What is done next, drawn from the seed: the same seed gives the same choices.

use crate::jobs::{Crash, Deed, Endless};
use fastrand::Rng;
use std::time::Duration;

/// What the caller does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Waits for its end.
    Await,
    /// The same, with a time limit.
    Limit(Duration),
    /// Drops it.
    Drop { when: When, kill: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the first poll.
    Unpolled,
    /// After so many polls.
    Polls(u32),
    /// After so much time.
    Time(Duration),
}

/// What becomes of a context that was opened for a few calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Close {
    /// Closed after its calls.
    After,
    /// Closed while they are under way.
    Amid,
    /// Its last handle is dropped.
    Dropped,
    /// It is a scope, which is dropped half-way where there is a time.
    Scope(Option<Duration>),
}

fn micros(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(0..most))
}

/// Small ones as often as large ones, up to a MiB.
fn size(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..=20);
    rng.usize(0..1 << bits)
}

pub(crate) fn deed(rng: &mut Rng) -> Deed {
    match rng.u32(0..1000) {
        0..640 => Deed::Short,
        640..720 => Deed::Sleep(rng.u64(0..5_000)),
        720..780 => Deed::Compute(rng.u64(0..500)),
        780..840 => Deed::Bytes(size(rng)),
        840..870 => Deed::Shared(size(rng)),
        870..880 => Deed::File,
        880..910 => Deed::Panic,
        910..920 => Deed::BadArgument,
        920..930 => Deed::BadResult,
        930..965 => Deed::Crash(match rng.u32(0..6) {
            0 => Crash::Segv,
            1 => Crash::Abort,
            2 => Crash::Exit,
            3 => Crash::Overflow,
            4 => Crash::Kill,
            _ => Crash::MidAnswer,
        }),
        _ => Deed::Endless(match rng.u32(0..8) {
            0..5 => Endless::Sleep,
            5 => Endless::Spin,
            6 => Endless::SpinDeaf,
            _ => Endless::Stop,
        }),
    }
}

pub(crate) fn fate(rng: &mut Rng, deed: Deed) -> Fate {
    let when = |rng: &mut Rng| match rng.u32(0..10) {
        0 => When::Unpolled,
        1..4 => When::Polls(rng.u32(1..4)),
        _ => When::Time(micros(rng, 4_000)),
    };
    if let Deed::Endless(_) = deed {
        // Nothing else would end it.
        return match rng.bool() {
            true => Fate::Limit(micros(rng, 10_000)),
            false => Fate::Drop { when: when(rng), kill: true },
        };
    }
    match rng.u32(0..100) {
        0..80 => Fate::Await,
        80..84 => Fate::Limit(micros(rng, 3_000)),
        _ => Fate::Drop { when: when(rng), kill: rng.u32(0..4) == 0 },
    }
}

pub(crate) fn close(rng: &mut Rng) -> Close {
    match rng.u32(0..5) {
        0 => Close::After,
        1 => Close::Amid,
        2 => Close::Dropped,
        3 => Close::Scope(None),
        _ => Close::Scope(Some(micros(rng, 8_000))),
    }
}

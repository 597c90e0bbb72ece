//! Whether a worker has served long enough.

use super::{panic, trampoline};
use crate::sys::usage::own_resident_memory;
use crate::wire::hello::Retirement;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Instant;

/// The state of a worker's policies.
#[derive(Debug)]
pub(super) struct Retiree<'a> {
    policy: &'a Retirement,
    jobs_left: Option<u64>,
    since: Instant,
}

impl<'a> Retiree<'a> {
    pub(super) fn new(policy: &'a Retirement) -> Self {
        Self { policy, jobs_left: policy.jobs.map(|(least, most)| draw(least, most)), since: Instant::now() }
    }

    /// After each job. An error is why the context's function could not be asked, or that it panicked.
    pub(super) fn is_due(&mut self) -> Result<bool, String> {
        if let Some(left) = &mut self.jobs_left {
            *left -= 1;
        }
        let due = self.jobs_left == Some(0)
            || self.policy.age.is_some_and(|age| self.since.elapsed() >= age)
            || self.policy.memory.is_some_and(|most| own_resident_memory() > most);
        let Some(place) = self.policy.asked else { return Ok(due) };
        // Asked each time, as it may count the jobs itself.
        let asked = panic::catch(trampoline::retire(place)?);
        Ok(asked.map_err(|error| format!("its retire function panicked: {error}"))? || due)
    }
}

/// A number between two, another one in each worker.
fn draw(least: u64, most: u64) -> u64 {
    let random = RandomState::new().hash_one((std::process::id(), Instant::now()));
    match (most - least).checked_add(1) {
        Some(span) => least + random % span,
        None => random,
    }
}

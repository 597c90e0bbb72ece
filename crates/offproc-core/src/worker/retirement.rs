//! Whether a worker retires.

use super::panic;
use crate::error::Error;
use crate::settings::retirement::Retirement;
use crate::sys::usage::own_resident_memory;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::RangeInclusive;
use std::time::Instant;

/// The state of a worker's policies.
#[derive(Debug)]
pub(super) struct RetirePolicy<'a> {
    policy: &'a Retirement,
    jobs_left: Option<u64>,
    since: Instant,
}

impl<'a> RetirePolicy<'a> {
    pub(super) fn new(policy: &'a Retirement) -> Self {
        Self { policy, jobs_left: policy.retire_after_jobs.as_ref().map(draw), since: Instant::now() }
    }

    /// Call this after each job. An error: the context's function panicked.
    pub(super) fn is_due(&mut self) -> Result<bool, Error> {
        if let Some(left) = &mut self.jobs_left {
            *left -= 1;
        }
        let due = self.jobs_left == Some(0)
            || self.policy.retire_after_age.is_some_and(|age| self.since.elapsed() >= age)
            || self.policy.retire_above_memory.is_some_and(|most| own_resident_memory() > most);
        let Some(retire) = self.policy.retire else { return Ok(due) };
        // Called each time, as it may count the jobs itself.
        let asked = panic::catch(retire)?;
        Ok(asked || due)
    }
}

/// A random number of a range, drawn in each worker.
fn draw(range: &RangeInclusive<u64>) -> u64 {
    let (least, most) = (*range.start(), *range.end());
    let random = RandomState::new().hash_one((std::process::id(), Instant::now()));
    match (most - least).checked_add(1) {
        Some(span) => least + random % span,
        None => random,
    }
}

//! Whether other processes use the machine.

use crate::options::Options;
use crate::procfs::busy_share;
use std::time::{Duration, Instant};

/// From this share of all CPUs on, other processes affect the figures.
pub(crate) const DISTURBING: f64 = 0.05;

/// Waits for a quiet moment, if the options ask for patience. Returns the share of all CPUs that other processes had in
/// the end.
pub(crate) fn wait(options: &Options) -> f64 {
    let begin = Instant::now();
    loop {
        let others = busy_share(Duration::from_millis(if options.patience.is_zero() { 100 } else { 500 }));
        if others <= DISTURBING || begin.elapsed() >= options.patience {
            return others;
        }
    }
}

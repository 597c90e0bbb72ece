//! A loaded machine: one busy process for each CPU.

use crate::peers::role::{Player, Role};
use std::fmt;
use std::io;

/// Whether other processes use the CPUs, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Nothing else runs. An idle CPU then takes its time to wake, and every way that sleeps pays for that.
    Quiet,
    /// One busy process for each CPU. A process that gives up its CPU then may have to wait for it.
    Loaded,
}

impl Load {
    pub(crate) const BOTH: [Self; 2] = [Self::Quiet, Self::Loaded];

    /// Starts the load, which ends when the result is dropped.
    pub(crate) fn begin(self) -> io::Result<Busy> {
        let count = match self {
            Self::Quiet => 0,
            Self::Loaded => cpus(),
        };
        (0..count).map(|_| Player::start(Role::Busy, None)).collect::<io::Result<_>>().map(Busy)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quiet => "quiet",
            Self::Loaded => "loaded",
        })
    }
}

/// The busy processes: killed when this is dropped, and by the kernel if this program is killed.
#[derive(Debug)]
#[must_use = "the load ends when this is dropped"]
pub(crate) struct Busy(#[allow(dead_code, reason = "held for its drop")] Vec<Player>);

pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

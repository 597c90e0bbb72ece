//! What is known of the end of a worker behind a command.

use crate::sys::status;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::process::ExitStatus;

/// A worker behind a command: the process that the program has started is only its launcher.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub(crate) command: String,
    pub(crate) index: Option<usize>,
    /// The worker's own process, and its machine, where it has sent them.
    pub(crate) pid: Option<u32>,
    pub(crate) host: Option<String>,
    /// It has sent that it exits as it should. A launcher's exit code does not say so: that of a lost node may be 0.
    pub(crate) has_left: bool,
    /// The program has sent that it is to end at once, or has cut its connection.
    pub(crate) is_killed: bool,
    /// Why the connection was given up.
    pub(crate) lost: Option<String>,
}

impl Remote {
    /// Where it ran, and how it ended; `status`: its launcher's.
    pub(super) fn how(&self, by_us: bool, status: Option<ExitStatus>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "on {host} ")?;
        }
        match (&self.lost, by_us) {
            (_, true) => f.write_str("was killed by offproc")?,
            (Some(lost), _) => write!(f, "was lost: {lost}")?,
            (None, _) => f.write_str("was lost: its connection ended without a goodbye")?,
        }
        write!(f, "; its command `{}`", self.command)?;
        if let Some(index) = self.index {
            write!(f, " (index {index})")?;
        }
        match status {
            Some(status) => {
                f.write_str(" ")?;
                status::describe(status, f)?;
            }
            None => f.write_str(" has not ended")?,
        }
        f.write_str(",")
    }
}

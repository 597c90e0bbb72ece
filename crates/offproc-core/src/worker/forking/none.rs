//! Workers that are forks: this system has no forks.

use super::stage::{ReadyForkServer, Stage};
use std::io;

/// There is no fork server.
pub(super) fn fork_loop(ready: ReadyForkServer) -> io::Result<Stage> {
    ready.alone.never()
}

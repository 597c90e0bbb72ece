//! A worker behind a command, as the process that is its launcher knows it.

use crate::error::remote::Remote;
use std::fmt;
use std::task::{Context, Poll};

/// The worker behind a launcher. Its end is that of the two: the launcher is reaped, and all is read that has come.
pub(crate) trait RemoteWorker: fmt::Debug + Send + Sync {
    /// Has the worker kill itself. False if that cannot be sent now: then the end of its launcher has to do.
    fn kill(&self) -> bool;

    /// The launcher has ended: what does not come soon will not come.
    fn launcher_has_ended(&self);

    /// Ready once nothing more comes from the worker. One task at a time waits for that.
    fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// What is known of its end.
    fn end(&self) -> Remote;
}

//! The connection that a worker begins with.

use super::link::WorkerLink;
use crate::sys::socket::Socket;
use std::sync::Arc;

/// The worker's connection.
pub(super) struct Control {
    pub(super) socket: Socket,
    /// Of a worker behind a command: what it sends goes over the link.
    pub(super) link: Option<Arc<WorkerLink>>,
}

impl From<Socket> for Control {
    fn from(socket: Socket) -> Self {
        Self { socket, link: None }
    }
}

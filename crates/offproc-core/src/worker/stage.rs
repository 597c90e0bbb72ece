//! The stages of a worker process. Each is a function that returns the next.

use super::channel::stream::WorkerStream;
use super::channel::worker_channel::WorkerChannel;
use crate::job::state::WorkerState;
use crate::settings::Settings;
use crate::sys::child::Extent;
use crate::sys::fork::SingleThreaded;
use crate::sys::socket::Socket;

/// The next stage.
pub(super) enum Stage {
    /// After the handshake: it runs jobs.
    Worker(Box<ReadyWorker>),
    /// After the handshake: it forks workers.
    ForkServer(ReadyForkServer),
    /// In a process that was just forked: its own handshake, on this connection.
    Forked(Socket),
    /// It exits with this code.
    Over(i32),
}

/// A worker that waits for jobs.
pub(super) struct ReadyWorker {
    pub(super) settings: Settings,
    pub(super) channel: Box<dyn WorkerChannel>,
    /// How large a result may be.
    pub(super) limit: usize,
    pub(super) state: WorkerState,
}

/// A fork server that waits for requests.
pub(super) struct ReadyForkServer {
    pub(super) alone: SingleThreaded,
    pub(super) requests: Socket,
    /// What a kill of a worker includes.
    pub(super) extent: Extent,
    /// Held so that its closing shows the parent the end.
    pub(super) _channel: WorkerStream,
}

//! The link to a worker behind a command: what goes over the command's stdin and stdout. Its frames have the header of
//! all frames. The frames of the stream transport travel as the bytes that they are, in pieces, so that a heartbeat or
//! a kill never waits for the rest of a long job.

use super::frame::{self, Kind};
use crate::job::codec;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// The most bytes in one piece: a heartbeat waits for as many at most.
pub(crate) const PIECE: usize = 64 << 10;

/// How many heartbeats may be missing before the other side counts as gone.
pub(crate) const MISSING: u32 = 3;

/// The size of the token by which a worker that connects back shows that it was started here.
pub(crate) const TOKEN: usize = 32;

/// Parent to worker, the first frame of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    /// First, as it is read alone where it differs.
    pub(crate) build: u128,
    pub(crate) heartbeat: Duration,
    /// The rest goes over a connection to this address, which begins with the token.
    pub(crate) connect_back: Option<(SocketAddr, [u8; TOKEN])>,
}

/// Worker to parent, the first frame of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Linked {
    /// First, as it is read alone where it differs.
    pub(crate) build: u128,
    pub(crate) pid: u32,
    pub(crate) host: String,
}

/// Parent to worker, before a job: what it may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardLimits {
    /// How long it runs, by the wall clock.
    pub time: Option<Duration>,
    /// The CPU time of its process.
    pub cpu: Option<Duration>,
    /// The resident memory of its process, in bytes.
    pub memory: Option<u64>,
}

/// Worker to parent: why it kills itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overuse {
    /// The job has run for longer than its time limit.
    Time,
    /// It has used more CPU time than its limit.
    Cpu {
        /// The limit.
        limit: Duration,
        /// What it had used.
        used: Duration,
    },
    /// Its process has more resident memory than its limit.
    Memory {
        /// The limit.
        limit: u64,
        /// What it had.
        used: u64,
    },
}

/// A frame with a small body, which can always be encoded.
pub(crate) fn frame_of(kind: Kind, body: &impl Serialize) -> Vec<u8> {
    let mut bytes = frame::begin();
    let encoded = codec::encode_own(body, &mut bytes);
    debug_assert!(encoded.is_ok(), "{encoded:?}");
    frame::finish(kind, &mut bytes);
    bytes
}

/// A frame of bytes of the stream.
pub(crate) fn header_of_piece(length: usize) -> [u8; frame::HEADER] {
    frame::header(Kind::Piece, length)
}

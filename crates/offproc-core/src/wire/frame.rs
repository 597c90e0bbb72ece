//! Frames: a fixed header, then a body of the length it names.
//!
//! ```text
//! offset 0  version   u8, [`VERSION`]
//!        1  kind      u8, [`Kind`]
//!        2  zero      6 bytes
//!        8  length    u64, little endian, of the body
//!       16  body
//! ```
//!
//! The decoder does no input or output itself: it hands out space to read into. It checks a length against the limit,
//! and then allocates only as bytes come: memory grows with what was received, not with the length in the header.

use super::buffer;
use std::{fmt, io};

/// The version of the whole protocol, in every frame.
pub(crate) const VERSION: u8 = 5;
/// The size of a frame's header.
pub(crate) const HEADER: usize = 16;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a frame is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Kind { $($(#[$doc])* $name = $value,)* }

        impl Kind {
            pub(crate) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Parent to worker: the parent's build, and how to serve.
    Hello = 1,
    /// Parent to worker: a function and its argument.
    Job = 2,
    /// Parent to fork server, on the socket for requests: fork a worker.
    ForkRequest = 3,
    /// Either way, beside shared memory: the descriptors of the next job or answer, and the buffers to unmap.
    Attached = 4,
    /// Parent to worker, over a stream: the items of the chunk that have not begun are not wanted.
    Withdraw = 5,
    /// Either way, before the frame that they go with, where the stream carries none: its handles.
    Gifts = 6,
    /// Worker to parent: it is of the same build, and begins to run `init` or `preload`.
    Welcome = 16,
    /// Worker to parent: it is of the same build, and waits for jobs.
    Ready = 17,
    /// Worker to parent: it refuses to serve, with the reason.
    Refused = 18,
    /// Worker to parent: the result of the job.
    Done = 19,
    /// Worker to parent: why the job has no result.
    Failed = 20,
    /// Worker to parent, after the answer: it stays for another job.
    Stays = 21,
    /// Worker to parent: it leaves, and takes no further job.
    Leaves = 22,
    /// Fork server to parent, on the new worker's connection: its process, with a pidfd.
    Forked = 23,
    /// Fork server to parent, on the socket for requests: a worker has ended.
    Ended = 24,
    /// Worker to parent: it enters the sandbox.
    Sandboxes = 25,
    /// Worker to parent, over a stream: results of a chunk that goes on.
    Part = 26,
    /// Worker to parent: the results of a chunk, or the rest of them.
    Items = 27,
    /// Worker to parent: the same, and the worker ends, as the last item's panic has aborted it.
    LastItems = 28,
    /// Worker to parent: it makes its state.
    MakesState = 29,
    /// Worker to parent: as `Items`, and the worker has lost its state, which the last item had when it panicked.
    LastWithState = 30,
    /// Parent to worker, over a link: how to serve over it.
    Link = 40,
    /// Worker to parent, over a link: which process it is, and where.
    Linked = 41,
    /// Either way, over a link: bytes of the stream of frames.
    Piece = 42,
    /// Either way, over a link: its sender lives.
    Heartbeat = 43,
    /// Parent to worker, over a link: the stream ends here.
    StreamEnd = 44,
    /// Parent to worker, over a link: end at once.
    Kill = 45,
    /// Parent to worker, over a link: what the next job may use.
    Limits = 46,
    /// Worker to parent, over a link: the job has used more, and the worker kills itself.
    Overuse = 47,
    /// Worker to parent, over a link: it exits as it should.
    Goodbye = 48,
}

impl Kind {
    /// Whether it has results of a chunk.
    pub(crate) fn is_of_chunk(self) -> bool {
        self == Self::Part || self.answers_chunk()
    }

    /// Whether it is the end of the answer to a chunk.
    pub(crate) fn answers_chunk(self) -> bool {
        matches!(self, Self::Items | Self::LastItems | Self::LastWithState)
    }
}

/// A whole frame, in a buffer of its own.
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    // There was no memory for its body, of so many bytes.
    lost: Option<usize>,
}

impl Frame {
    /// A frame whose body is all of the buffer.
    pub(crate) fn of_body(kind: Kind, body: Vec<u8>) -> Self {
        Self { kind, start: 0, end: body.len(), buffer: body, lost: None }
    }

    /// How many bytes its body had, where there was no memory for them.
    pub(crate) fn lost(&self) -> Option<usize> {
        self.lost
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.kind, self.end - self.start)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        buffer::give(std::mem::take(&mut self.buffer));
    }
}

/// Starts a frame: the body is appended to the buffer, then [`finish`] writes the header.
pub(crate) fn begin() -> Vec<u8> {
    let mut buffer = buffer::take();
    buffer.resize(HEADER, 0);
    buffer
}

/// A frame that lists handles.
pub(crate) fn of_list(list: &[u8]) -> Vec<u8> {
    let mut frame = begin();
    frame.extend_from_slice(list);
    finish(Kind::Gifts, &mut frame);
    frame
}

/// A frame without a body.
pub(crate) fn empty(kind: Kind) -> [u8; HEADER] {
    let mut frame = [0; HEADER];
    finish(kind, &mut frame);
    frame
}

/// Writes the header of the frame that `buffer` contains.
pub(crate) fn finish(kind: Kind, buffer: &mut [u8]) {
    let header = header(kind, buffer.len() - HEADER);
    buffer[..HEADER].copy_from_slice(&header);
}

/// The header of a frame whose body has so many bytes.
pub(crate) fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = VERSION;
    header[1] = kind as u8;
    header[8..].copy_from_slice(&(length as u64).to_le_bytes());
    header
}

/// Puts frames together from bytes as they come.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    filled: usize,
    limit: usize,
    lost: Option<Lost>,
}

/// A frame that there is no memory for: the rest of it is read and discarded.
#[derive(Debug)]
struct Lost {
    kind: Kind,
    length: usize,
    left: usize,
}

impl Decoder {
    const FIRST: usize = 4096;

    /// A decoder of frames whose bodies have at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), filled: 0, limit, lost: None }
    }

    /// From here on, bodies may have at most `limit` bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// True when part of a frame has come.
    pub(crate) fn is_midway(&self) -> bool {
        self.filled > 0 || self.lost.is_some()
    }

    /// Where to put the bytes that come next; never empty while there is no whole frame.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.lost.is_none() && self.filled == self.buffer.len() {
            self.grow();
        }
        match &self.lost {
            Some(lost) => &mut self.buffer[..lost.left.min(Self::FIRST)],
            None => &mut self.buffer[self.filled..],
        }
    }

    fn grow(&mut self) {
        // Twice what has come, but not beyond the current frame: never the length that a header promises.
        let mut size = (self.filled * 2).max(Self::FIRST);
        let header = self.header().ok().flatten();
        if let Some((_, end)) = header {
            size = size.min(end.max(self.filled + 1));
        }
        match (self.buffer.try_reserve_exact(size - self.filled), header) {
            (Err(_), Some((kind, end))) if self.filled < end => {
                self.lost = Some(Lost { kind, length: end - HEADER, left: end - self.filled });
                self.filled = 0;
                self.buffer = vec![0; Self::FIRST];
            }
            _ => self.buffer.resize(size, 0),
        }
    }

    /// Notes that the first `count` bytes of [`space`](Self::space) were filled.
    pub(crate) fn advance(&mut self, count: usize) {
        match &mut self.lost {
            Some(lost) => lost.left -= count,
            None => self.filled += count,
        }
        assert!(self.filled <= self.buffer.len());
    }

    /// The next whole frame, when all of it has come.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame>> {
        if let Some(Lost { kind, length, left }) = self.lost {
            if left > 0 {
                return Ok(None);
            }
            self.lost = None;
            return Ok(Some(Frame { kind, buffer: Vec::new(), start: 0, end: 0, lost: Some(length) }));
        }
        let Some((kind, end)) = self.header()? else { return Ok(None) };
        if self.filled < end {
            return Ok(None);
        }
        let mut rest = buffer::take();
        rest.extend_from_slice(&self.buffer[end..self.filled]);
        self.filled = rest.len();
        let buffer = std::mem::replace(&mut self.buffer, rest);
        Ok(Some(Frame { kind, buffer, start: HEADER, end, lost: None }))
    }

    /// The header, when it has come: the kind, and where the frame ends.
    fn header(&self) -> io::Result<Option<(Kind, usize)>> {
        let Some(header) = self.buffer[..self.filled].first_chunk::<HEADER>() else { return Ok(None) };
        let bad = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if header[0] != VERSION {
            return bad(format!("the other side speaks version {} of the protocol, this one {VERSION}", header[0]));
        }
        let Some(kind) = Kind::from_byte(header[1]) else {
            return bad(format!("a frame of unknown kind {}", header[1]));
        };
        let length = u64::from_le_bytes(*header[8..].first_chunk().expect("8 bytes"));
        match usize::try_from(length) {
            Ok(length) if length <= self.limit.min(usize::MAX - HEADER) => Ok(Some((kind, HEADER + length))),
            _ => bad(format!("a frame of {length} bytes is above the limit of {} bytes", self.limit)),
        }
    }
}

#[cfg(test)]
mod tests;

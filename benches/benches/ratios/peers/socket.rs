//! The raw limit of a stream: a pair of sockets between two processes, blocking reads and writes, nothing else.

use super::role::{Player, Role};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// A process at the other end of a socket. Buffers are used again and again.
#[derive(Debug)]
pub(crate) struct SocketPeer {
    stream: UnixStream,
    _player: Player,
}

impl SocketPeer {
    pub(crate) fn start(role: Role) -> io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        Ok(Self { stream, _player: Player::start(role, Some(theirs.into()))? })
    }

    /// One byte there and back.
    pub(crate) fn ping(&self) -> io::Result<()> {
        (&self.stream).write_all(b"?")?;
        (&self.stream).read_exact(&mut [0])
    }

    /// `out` there and as many bytes back, into `back`.
    pub(crate) fn echo(&self, out: &[u8], back: &mut [u8]) -> io::Result<()> {
        (&self.stream).write_all(&out.len().to_ne_bytes())?;
        // The other side reads a whole message before it answers, so this side can write all before it reads.
        (&self.stream).write_all(out)?;
        (&self.stream).read_exact(&mut back[..out.len()])
    }
}

fn stdin() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

pub(super) fn answer_pings() -> io::Result<()> {
    let mut stream = stdin()?;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)?;
    }
}

pub(super) fn answer_messages() -> io::Result<()> {
    let mut stream = stdin()?;
    let mut message = Vec::new();
    loop {
        let mut length = [0; size_of::<usize>()];
        stream.read_exact(&mut length)?;
        message.resize(usize::from_ne_bytes(length), 0);
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

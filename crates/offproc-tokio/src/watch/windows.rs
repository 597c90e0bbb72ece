//! A socket that tokio watches. It watches none but its own there: so this makes one of a duplicate, and neither reads
//! from that nor writes to it.

use offproc_core::{PollSource, Readiness};
use std::io;
use std::os::windows::io::AsSocket;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Watch(TcpStream);

impl Watch {
    /// With the runtime that is entered.
    ///
    /// # Errors
    ///
    /// The system cannot watch one more socket.
    ///
    /// # Panics
    ///
    /// The runtime has no I/O driver.
    pub(crate) fn new(source: PollSource) -> io::Result<Self> {
        let duplicate = source.as_socket().try_clone_to_owned()?;
        TcpStream::from_std(duplicate.into()).map(Self)
    }

    /// tokio forgets the readiness that it has recorded, and looks anew.
    fn look_anew(&self, interest: Interest) {
        let _ = self.0.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}

impl Readiness for Watch {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_read_ready(cx))?;
        self.look_anew(Interest::READABLE);
        Poll::Ready(Ok(()))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_write_ready(cx))?;
        self.look_anew(Interest::WRITABLE);
        Poll::Ready(Ok(()))
    }

    /// It looks anew after each time.
    fn is_edge_triggered(&self) -> bool {
        false
    }
}

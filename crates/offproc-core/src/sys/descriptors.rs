//! Descriptors: pairs of sockets, the standard three, out of the way of a job that writes to low numbers, and closed
//! in forked children that have no business with them.
#![allow(unsafe_code)]

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, socketpair};
use std::collections::BTreeSet;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A descriptor of offproc's, closed when its last clone is dropped.
///
/// It is on the books, so that a process which is forked from this one, by whomever, lets go of it: a worker's
/// lifeline that somebody else holds too is none.
#[derive(Clone, Debug)]
pub struct Descriptor(Arc<Booked>);

#[derive(Debug)]
struct Booked {
    fd: ManuallyDrop<OwnedFd>,
    /// Our end of a pair, the other end of which is another process's.
    is_line: bool,
}

impl Booked {
    fn new(fd: OwnedFd) -> Self {
        Self { fd: ManuallyDrop::new(fd), is_line: false }
    }
}

static BOOKS: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// The books, as they are while nobody opens or closes a descriptor of ours.
pub(crate) struct Books(MutexGuard<'static, BTreeSet<RawFd>>);

/// Stops the books until the result is dropped.
pub(crate) fn stop_books() -> Books {
    Books(BOOKS.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Books {
    /// Closes all that is on the books, in a process that was forked while they were stopped.
    pub(crate) fn close_all(&mut self) {
        for fd in std::mem::take(&mut *self.0) {
            // SAFETY: the `Descriptor`s that this process has inherited are not used in a fork (calls are refused
            // there), and dropping one closes nothing that is not on the books.
            unsafe { libc::close(fd) };
        }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        stop_books().0.insert(fd.as_raw_fd());
        Self(Arc::new(Booked::new(fd)))
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        // Struck off first, so that no number is on the books that is somebody else's. Closed after that, as it may
        // take long, and forks wait for the books. A fork that comes between has a copy, which keeps nobody waiting:
        // a line is cut for all who have it.
        if !stop_books().0.remove(&self.fd.as_raw_fd()) {
            return;
        }
        // SAFETY: taken here and nowhere else.
        let fd = unsafe { ManuallyDrop::take(&mut self.fd) };
        if self.is_line {
            cut(fd);
        }
    }
}

/// Closes our end of a line. What a worker has sent and nobody has read is closed with it, descriptors too.
fn cut(line: OwnedFd) {
    // From here on nothing more arrives.
    let _ = rustix::net::shutdown(&line, Shutdown::Both);
    if rustix::io::ioctl_fionread(&line) != Ok(0) {
        close_elsewhere(line);
    }
}

/// Closes descriptors from a worker on a thread of their own, or here where none can be had: they may be of anything,
/// and closing a socket that lingers, say, takes as long as the worker likes.
pub(crate) fn close_elsewhere(things: impl Send + 'static) {
    // What cannot be moved to a thread is dropped.
    let _ = std::thread::Builder::new().name("offproc-close".into()).spawn(move || drop(things));
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.fd.as_raw_fd()
    }
}

impl Descriptor {
    /// What `make` opens, on the books from birth: a fork does not come between.
    pub(crate) fn open<const N: usize>(make: impl FnOnce() -> io::Result<[OwnedFd; N]>) -> io::Result<[Self; N]> {
        let mut books = stop_books();
        let made = make()?;
        Ok(made.map(|fd| {
            books.0.insert(fd.as_raw_fd());
            Self(Arc::new(Booked::new(fd)))
        }))
    }

    /// As our end of a pair.
    fn into_line(mut self) -> Self {
        if let Some(booked) = Arc::get_mut(&mut self.0) {
            booked.is_line = true;
        }
        self
    }

    /// Struck off the books, for whoever is to have it. A clone keeps it where it is: then it is a duplicate.
    pub(crate) fn into_owned(self) -> io::Result<OwnedFd> {
        match Arc::try_unwrap(self.0) {
            Ok(booked) => {
                let mut booked = ManuallyDrop::new(booked);
                stop_books().0.remove(&booked.fd.as_raw_fd());
                // SAFETY: `booked` is never dropped, so this is the only time it is taken.
                Ok(unsafe { ManuallyDrop::take(&mut booked.fd) })
            }
            Err(shared) => Ok(fcntl_dupfd_cloexec(&*shared.fd, 3)?),
        }
    }
}

/// A pair of connected stream sockets, close-on-exec from birth, neither of which is one of the standard three (which
/// a program may have closed). The first is ours; the second is another process's, whatever becomes of our copy.
pub(crate) fn pair() -> io::Result<(Descriptor, Descriptor)> {
    pair_of(SocketType::STREAM)
}

/// The same with whole messages instead of a stream.
pub(crate) fn message_pair() -> io::Result<(Descriptor, Descriptor)> {
    pair_of(SocketType::SEQPACKET)
}

fn pair_of(kind: SocketType) -> io::Result<(Descriptor, Descriptor)> {
    let [a, b] = Descriptor::open(|| {
        let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        Ok([above_standard(a)?, above_standard(b)?])
    })?;
    Ok((a.into_line(), b))
}

/// A pipe, close-on-exec from birth as well: where to read, and where to write.
pub(crate) fn pipe() -> io::Result<(Descriptor, Descriptor)> {
    let [read, write] = Descriptor::open(|| {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok([above_standard(read)?, above_standard(write)?])
    })?;
    Ok((read, write))
}

/// Whether so many more descriptors can be opened now.
pub(crate) fn has_room_for(count: usize) -> io::Result<()> {
    (0..count.div_ceil(2)).map(|_| pair()).collect::<io::Result<Vec<_>>>().map(drop)
}

fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(fcntl_dupfd_cloexec(&fd, 3)?) }
}

/// A duplicate under a high number, where a job that writes to or closes low numbers by mistake does not hit it.
pub(crate) fn duplicate_high(fd: impl AsFd) -> io::Result<OwnedFd> {
    for least in [512, 128, 32] {
        match fcntl_dupfd_cloexec(&fd, least) {
            // The limit on descriptors (`ulimit -n`) is below that number, or near it.
            Err(Errno::INVAL | Errno::MFILE) => {}
            other => return Ok(other?),
        }
    }
    Ok(fcntl_dupfd_cloexec(&fd, 3)?)
}

/// Makes stdin empty, and opens stdout and stderr onto nothing where they are closed, as std does for a program:
/// otherwise the next file opened would become one of them.
pub(crate) fn restore_standard() -> io::Result<()> {
    let nothing = match open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(null) => null,
        // Without /dev: a socket whose other end is closed is as empty.
        Err(_) => pair()?.0.into_owned()?,
    };
    rustix::stdio::dup2_stdin(&nothing)?;
    if fcntl_getfd(rustix::stdio::stdout()).is_err() {
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    if fcntl_getfd(rustix::stdio::stderr()).is_err() {
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}

//! Closing unwanted descriptors from a worker. They may be of any kind, and closing a socket that lingers, for example,
//! takes as long as the worker likes.
//!
//! This switches lingering off first, so a thread closes most of them at once, and ends when there is nothing left to
//! close. A worker that makes closing slow all the same (it has the same socket, and may switch lingering on again) can
//! hold up a few such threads, and nothing else.

use super::gifts::{MAX_FDS, receive};
use super::socket::{self, Blocking};
use super::thread;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_linger;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many threads close at a time.
const CLOSERS: usize = 4;
/// How many descriptors wait for one at most. Above that, if all threads are held up, the thread that has received a
/// descriptor closes it.
const WAITING: usize = 512;

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: VecDeque::new(), closers: 0 });

struct Queue {
    waiting: VecDeque<Thing>,
    closers: usize,
}

enum Thing {
    Descriptor(OwnedFd),
    /// Our end of a pair that was shut down, with all that is unread.
    EndOfPair(OwnedFd),
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes descriptors from a worker, on a thread of their own.
pub(crate) fn discard(descriptors: impl IntoIterator<Item = OwnedFd>) {
    enqueue(descriptors.into_iter().map(|descriptor| Thing::Descriptor(calm(descriptor))).collect());
}

/// Closes a socket from a worker, on a thread of their own.
pub(crate) fn discard_socket(socket: OwnedFd) {
    discard([socket]);
}

/// `recvmsg`: receives bytes, and the descriptors that came with them, which are added to the others; how many bytes
/// came. Discards descriptors that there is no place for.
pub(crate) fn receive_with(
    socket: impl AsFd,
    space: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    blocking: Blocking,
) -> Result<usize, Errno> {
    let (bytes, rest) = receive(socket, space, descriptors, blocking)?;
    discard(rest);
    Ok(bytes)
}

/// [`receive_with`], without waiting. A worker may send only so many descriptors: any above that are discarded.
pub(crate) fn receive_some(
    socket: impl AsFd,
    space: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> Result<usize, Errno> {
    let count = receive_with(socket, space, descriptors, Blocking::No)?;
    if descriptors.len() > MAX_FDS {
        discard(descriptors.split_off(MAX_FDS));
    }
    Ok(count)
}

/// `shutdown(SHUT_RDWR)` and `close`, of our end of a pair. This also closes all that a worker has sent and that is
/// unread, descriptors too.
pub(super) fn shut_down(end: OwnedFd) {
    // From here on nothing more arrives.
    socket::shut_down(&end);
    if !is_emptied(&end) {
        enqueue(vec![Thing::EndOfPair(end)]);
    }
}

/// Reads what there is, if it is little: the bells of channels leave a byte now and then.
fn is_emptied(end: &OwnedFd) -> bool {
    const LITTLE: u64 = 256;
    match rustix::io::ioctl_fionread(end) {
        Ok(0) => true,
        Ok(unread @ ..=LITTLE) => {
            let mut descriptors = Vec::new();
            let read = receive_with(end, &mut [0; LITTLE as usize], &mut descriptors, Blocking::No);
            discard(descriptors);
            read.is_ok_and(|read| read as u64 == unread)
        }
        _ => false,
    }
}

/// Not a socket, or none that can linger: then there is nothing to switch off.
fn calm(descriptor: OwnedFd) -> OwnedFd {
    let _ = set_socket_linger(descriptor.as_fd(), None);
    descriptor
}

fn enqueue(mut things: Vec<Thing>) {
    if things.is_empty() {
        return;
    }
    let mut queue = lock();
    let room = WAITING.saturating_sub(queue.waiting.len()).min(things.len());
    queue.waiting.extend(things.drain(..room));
    let is_one_more = queue.closers < CLOSERS;
    queue.closers += usize::from(is_one_more);
    drop(queue);
    if is_one_more && thread::start("offproc-close", None, close_all).is_err() {
        // No thread could be started.
        close_all();
    }
    things.into_iter().for_each(Thing::close);
}

/// Closes waiting descriptors until there are none.
fn close_all() {
    loop {
        let mut queue = lock();
        let Some(thing) = queue.waiting.pop_front() else {
            queue.closers -= 1;
            return;
        };
        drop(queue);
        thing.close();
    }
}

impl Thing {
    fn close(self) {
        match self {
            Self::Descriptor(descriptor) => drop(descriptor),
            // One message after the other: closing the socket itself would close all descriptors in it with lingering
            // on.
            Self::EndOfPair(end) => {
                let (mut bytes, mut descriptors) = ([0; 4096], Vec::new());
                while let Ok((1.., rest)) = receive(&end, &mut bytes, &mut descriptors, Blocking::No) {
                    descriptors.drain(..).chain(rest).for_each(|descriptor| drop(calm(descriptor)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    /// Our end of a connection that would take an hour to close, as the other end takes nothing.
    fn lingering() -> (OwnedFd, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[0; 1 << 16]).is_ok() {}
        ours.set_nonblocking(false).unwrap();
        set_socket_linger(&ours, Some(Duration::from_secs(3600))).unwrap();
        (ours.into(), theirs)
    }

    #[test]
    fn what_would_linger_is_closed_at_once_and_its_end_is_seen() {
        let start = Instant::now();
        let others: Vec<_> = (0..8)
            .map(|_| {
                let (ours, theirs) = lingering();
                discard([ours]);
                theirs
            })
            .collect();
        // Reset or at its end: no process has the other end any more.
        for mut other in others {
            other.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut bytes = Vec::new();
            let _ = other.read_to_end(&mut bytes);
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn what_nobody_has_read_is_closed_with_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (socket, mut other) = lingering();
        crate::sys::gifts::send_with(&theirs, &[1], &[socket], Blocking::Yes).unwrap();
        shut_down(ours.into());
        other.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let start = Instant::now();
        let _ = other.read_to_end(&mut Vec::new());
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

//! Waiting for a pipe: a thread for each waits until there is something to read, by a read of no bytes, and says so
//! through a socket. Nothing but the reader takes the bytes.

use super::socket::{self, Blocking, Socket};
use super::thread;
use super::win32::pipe;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The end for reading; the thread ends with it.
#[derive(Debug)]
pub(super) struct Reader(Arc<Waited>);

impl Reader {
    /// Has a thread wait for the pipe, and say at the socket when there is something to read.
    pub(super) fn start(pipe: OwnedHandle, bell: Socket) -> io::Result<Self> {
        let waited = Arc::new(Waited { pipe, wish: Mutex::new(Wish::Wait), changed: Condvar::new() });
        let by_thread = Arc::clone(&waited);
        thread::start("offproc-pipe", None, move || by_thread.wait(&bell))?;
        Ok(Self(waited))
    }

    /// Appends what there is, as far as the vector has room for it. 0 at the end. `bell`: the other end of that socket.
    pub(super) fn read(&self, bell: impl AsFd, into: &mut Vec<u8>) -> Result<usize, Errno> {
        self.0.read(bell, into)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.set(Wish::End);
    }
}

/// A pipe that a thread waits for.
#[derive(Debug)]
struct Waited {
    pipe: OwnedHandle,
    wish: Mutex<Wish>,
    changed: Condvar,
}

/// What the thread is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To wait for bytes, and then to say so.
    Wait,
    /// It has said so; nothing, until all of them are read.
    Rest,
    End,
}

impl Waited {
    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, wish: Wish) {
        *self.lock() = wish;
        self.changed.notify_all();
    }

    /// On the thread, whose end shows as the end of the socket.
    fn wait(&self, bell: &Socket) {
        // Without a byte of room in the vector, it only waits.
        while pipe::read(self.pipe.as_handle(), &mut Vec::new()).is_ok() {
            let mut wish = self.lock();
            if *wish == Wish::End {
                return;
            }
            *wish = Wish::Rest;
            if socket::send(bell, &[1], Blocking::No).is_err() {
                return;
            }
            while *wish == Wish::Rest {
                wish = self.changed.wait(wish).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn read(&self, bell: impl AsFd, into: &mut Vec<u8>) -> Result<usize, Errno> {
        // One reads at a time: what is there stays there until it has.
        let mut wish = self.lock();
        match pipe::available(self.pipe.as_handle()) {
            Ok(0) => {
                let _ = rustix::net::recv(bell, &mut [0; 16], RecvFlags::empty());
                *wish = Wish::Wait;
                self.changed.notify_all();
                Err(Errno::AGAIN)
            }
            Ok(count) => {
                let mut bytes = Vec::with_capacity(count.min(into.capacity() - into.len()));
                let read = pipe::read(self.pipe.as_handle(), &mut bytes).map_err(|_| Errno::INVAL)?;
                into.extend_from_slice(&bytes);
                Ok(read)
            }
            Err(_) => Ok(0),
        }
    }
}

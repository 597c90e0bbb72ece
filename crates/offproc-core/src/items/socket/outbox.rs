//! What a sender has sent and its socket has no room for yet.
//!
//! So a sender waits for nothing but the channel's capacity, and an item is sent whole or not at all. A thread of
//! offproc's own (`parent/lookout.rs`) writes the rest as the receiver makes room, whatever the program does meanwhile.

use crate::parent::lookout::Lookout;
use crate::parent::runtime::{PollSource, Readiness, Runtime};
use crate::sys::fork_registry::TrackedFd;
use crate::sys::per_process::PerProcess;
use crate::sys::readiness::{self, Interest};
use crate::sys::socket::{self, Blocking, SENT_ARRIVES};
use crate::wire::items::stream::HEADER;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How long a worker that ends waits for a receiver that reads nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits for one that has not yet received what has arrived.
const LINGER: Duration = Duration::from_secs(1);
/// A buffer of more bytes is not kept.
const KEPT: usize = 1 << 20;

/// Those of this process that have something.
static FULL: PerProcess<Vec<Weak<Outbox>>> = PerProcess::new();

#[derive(Debug)]
pub(super) struct Outbox {
    socket: TrackedFd,
    backlog: Mutex<Backlog>,
}

#[derive(Debug, Default)]
struct Backlog {
    bytes: VecDeque<u8>,
    state: State,
    /// There while the thread waits for room.
    watch: Option<Box<dyn Readiness>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The end leaves for another process, and takes the bytes along.
    Leaving,
    /// The end was dropped: to be shut down once all is written.
    Closing,
    /// All is written. Until the receiver is gone, its acknowledgements are read, so that none resets the connection:
    /// see `SENT_ARRIVES`.
    Lingering,
    /// The receiver is gone.
    Broken,
}

/// The receiver is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl Outbox {
    pub(super) fn new(socket: TrackedFd, bytes: Vec<u8>) -> Arc<Self> {
        let outbox =
            Arc::new(Self { socket, backlog: Mutex::new(Backlog { bytes: bytes.into(), ..Backlog::default() }) });
        outbox.flow(&mut outbox.lock());
        outbox
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an item, now or as soon as there is room.
    ///
    /// # Errors
    ///
    /// The inner one: there is no memory for it, and it was not sent.
    pub(super) fn send(self: &Arc<Self>, header: [u8; HEADER], item: &[u8]) -> Result<Result<(), io::Error>, Gone> {
        let mut backlog = self.lock();
        self.flow(&mut backlog);
        if backlog.state == State::Broken {
            return Err(Gone);
        }
        let written = match backlog.bytes.is_empty().then(|| self.write(&header, item)) {
            None => 0,
            Some(Ok(written)) => written,
            Some(Err(Gone)) => {
                // A part of it may have gone.
                backlog.break_off();
                return Err(Gone);
            }
        };
        let (head, body) = (&header[written.min(HEADER)..], &item[written.saturating_sub(HEADER)..]);
        if backlog.bytes.try_reserve(head.len() + body.len()).is_err() {
            if written > 0 {
                // It cannot be taken back.
                backlog.break_off();
                return Err(Gone);
            }
            return Ok(Err(io::ErrorKind::OutOfMemory.into()));
        }
        backlog.bytes.extend(head);
        backlog.bytes.extend(body);
        self.flow(&mut backlog);
        Ok(Ok(()))
    }

    /// Writes as much as there is room for.
    fn write(&self, header: &[u8], item: &[u8]) -> Result<usize, Gone> {
        match socket::send_two(&self.socket, [header, item], Blocking::No) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN) => Ok(0),
            Err(_) => Err(Gone),
        }
    }

    /// Writes as much as there is room for, and has the thread wait for more. Without such a thread, the next use of
    /// the end goes on, or the end of the process.
    fn flow(self: &Arc<Self>, backlog: &mut Backlog) {
        while matches!(backlog.state, State::Open | State::Closing) {
            let (front, _) = backlog.bytes.as_slices();
            if front.is_empty() {
                break;
            }
            match self.write(front, &[]) {
                Ok(0) => {
                    if self.watch(backlog, Interest::Writable) {
                        return;
                    }
                }
                Ok(written) => drop(backlog.bytes.drain(..written)),
                Err(Gone) => backlog.break_off(),
            }
        }
        if backlog.bytes.is_empty() && backlog.bytes.capacity() > KEPT {
            backlog.bytes = VecDeque::new();
        }
        match backlog.state {
            State::Closing if SENT_ARRIVES => self.shut_down(),
            State::Closing => {
                socket::shut_down_sending(&self.socket);
                (backlog.state, backlog.watch) = (State::Lingering, None);
                return self.linger(backlog);
            }
            State::Lingering => return self.linger(backlog),
            State::Open | State::Leaving | State::Broken => {}
        }
        backlog.watch = None;
    }

    /// Reads what comes, and has the thread wait for more.
    fn linger(self: &Arc<Self>, backlog: &mut Backlog) {
        let mut space = [0; 256];
        loop {
            match socket::receive(&self.socket, &mut space) {
                Ok(1..) => {}
                Err(Errno::AGAIN) => {
                    if self.watch(backlog, Interest::Readable) {
                        return;
                    }
                }
                Ok(0) | Err(_) => return backlog.break_off(),
            }
        }
    }

    /// False if it is ready by now.
    fn watch(self: &Arc<Self>, backlog: &mut Backlog, interest: Interest) -> bool {
        if backlog.watch.is_none() {
            FULL.lock().retain(|outbox| outbox.strong_count() > 0 && !std::ptr::eq(outbox.as_ptr(), &raw const **self));
            FULL.lock().push(Arc::downgrade(self));
            backlog.watch = Lookout.watch(PollSource::new(self.socket.clone())).ok();
        }
        let waker = Waker::from(Arc::clone(self));
        let cx = &mut Context::from_waker(&waker);
        let polled = backlog.watch.as_ref().map(|watch| match interest {
            Interest::Readable => watch.poll_readable(cx),
            Interest::Writable => watch.poll_writable(cx),
        });
        match polled {
            Some(Poll::Ready(Ok(()))) => return false,
            Some(Poll::Pending) => {}
            Some(Poll::Ready(Err(_))) | None => backlog.watch = None,
        }
        true
    }

    /// The end leaves: its bytes go along.
    pub(super) fn leave(&self) -> Vec<u8> {
        let mut backlog = self.lock();
        backlog.state = if backlog.state == State::Open { State::Leaving } else { backlog.state };
        backlog.watch = None;
        let (front, back) = backlog.bytes.as_slices();
        [front, back].concat()
    }

    /// It stays after all.
    pub(super) fn stay(self: &Arc<Self>) {
        let mut backlog = self.lock();
        if backlog.state == State::Leaving {
            backlog.state = State::Open;
        }
        self.flow(&mut backlog);
    }

    /// The end is dropped: what it has sent still arrives.
    pub(super) fn close(self: &Arc<Self>) {
        let mut backlog = self.lock();
        if backlog.state == State::Broken {
            return self.shut_down();
        }
        backlog.state = State::Closing;
        self.flow(&mut backlog);
        let is_left_over = !backlog.bytes.is_empty() && backlog.watch.is_none();
        drop(backlog);
        if is_left_over {
            self.empty();
        }
    }

    /// The receiver sees the end, whichever processes have copies of the socket.
    fn shut_down(&self) {
        self.socket.shut_down();
    }

    /// Writes all of it, for as long as the receiver reads.
    fn empty(self: &Arc<Self>) {
        loop {
            let mut backlog = self.lock();
            self.flow(&mut backlog);
            let (wanted, patience) = match backlog.state {
                State::Leaving => return,
                State::Lingering => (Interest::Readable, LINGER),
                _ if backlog.bytes.is_empty() => return,
                _ => (Interest::Writable, PATIENCE),
            };
            drop(backlog);
            if !matches!(readiness::wait_for(&self.socket, wanted, patience), Ok(true)) {
                let mut backlog = self.lock();
                let is_closing = backlog.state == State::Closing;
                backlog.break_off();
                if is_closing {
                    self.shut_down();
                }
                return;
            }
        }
    }
}

impl Backlog {
    fn break_off(&mut self) {
        (self.state, self.watch, self.bytes) = (State::Broken, None, VecDeque::new());
    }
}

impl Wake for Outbox {
    /// There is room: on the thread that waits for it.
    fn wake(self: Arc<Self>) {
        self.flow(&mut self.lock());
    }
}

/// Before this process ends: writes what its senders have sent, for as long as their receivers read.
pub(crate) fn empty_all() {
    let full = std::mem::take(&mut *FULL.lock());
    full.iter().filter_map(Weak::upgrade).for_each(|outbox| outbox.empty());
}

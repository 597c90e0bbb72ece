//! The end of a child, seen by a thread that waits for it. That takes no status and handles no signal, so the program's
//! own handler for SIGCHLD, and its own children, are as they were.

use super::thread;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The stack of a thread that waits.
const STACK: usize = 64 << 10;

/// How soon to look again where no thread can wait.
const MOMENT: Duration = Duration::from_millis(10);

/// Says when a child may have ended.
#[derive(Debug)]
pub(super) struct EndNotice {
    pid: Pid,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// There is a thread that waits.
    is_awaited: bool,
    has_ended: bool,
    waiting: Vec<Waker>,
}

impl EndNotice {
    /// Of a child that is not reaped. The thread starts with the first wait.
    pub(super) fn of(pid: Pid) -> Self {
        Self { pid, seen: Arc::default() }
    }

    /// On the calling thread, up to this long.
    pub(super) fn wait(&self, patience: Duration) {
        let mut state = self.seen.lock();
        if !self.is_awaited(&mut state) {
            drop(state);
            std::thread::sleep(patience.min(MOMENT));
        } else if !state.has_ended {
            drop(self.seen.changed.wait_timeout(state, patience));
        }
    }

    pub(super) async fn come(&self) {
        let is_awaited = poll_fn(|cx| {
            let mut state = self.seen.lock();
            if !self.is_awaited(&mut state) {
                return Poll::Ready(false);
            }
            if state.has_ended {
                return Poll::Ready(true);
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        if !is_awaited {
            async_io::Timer::after(MOMENT).await;
        }
    }

    /// Has a thread wait for the end; false if there is none.
    fn is_awaited(&self, state: &mut State) -> bool {
        if !state.is_awaited {
            let (pid, seen) = (self.pid, Arc::clone(&self.seen));
            state.is_awaited = thread::start("offproc-wait", Some(STACK), move || seen.wait_for(pid)).is_ok();
        }
        state.is_awaited
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `waitid(P_PID, WEXITED | WNOWAIT)`, on a thread of its own.
    fn wait_for(&self, pid: Pid) {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // Another error: there is no such child any more.
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), look) {}
        let mut state = self.lock();
        state.has_ended = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A descriptor that shows ends of processes: there is none.
#[derive(Debug)]
pub(super) struct EndQueue(Infallible);

impl EndQueue {
    /// # Errors
    ///
    /// Always.
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn add(&self, _: Pid) -> Result<(), Errno> {
        match self.0 {}
    }
}

impl AsFd for EndQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

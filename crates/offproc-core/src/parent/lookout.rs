//! A reactor for a fork of the program, which has neither the threads of offproc nor those of the program's runtime:
//! one thread, which waits by `poll` for as long as there is something to wait for.
//!
//! A worker that was forked needs it, if its job waits by async code for a channel.

use super::runtime::{PollSource, Readiness, Runtime, RuntimeId};
use crate::sys::fork::generation;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::readiness::{self, Interest};
use crate::sys::{counter, thread};
use crate::wait_list::wake;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Used in a fork alone, and begun anew in each.
static STATE: Mutex<State> = Mutex::new(State { generation: 0, interrupt: None, watched: Vec::new() });

struct State {
    generation: u32,
    /// There while the thread runs.
    interrupt: Option<OwnedFd>,
    watched: Vec<Watched>,
}

#[derive(Clone)]
struct Watched {
    number: u64,
    socket: TrackedFd,
    interest: Interest,
    waker: Waker,
}

fn lock() -> MutexGuard<'static, State> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if state.generation != generation() {
        let fresh = State { generation: generation(), interrupt: None, watched: Vec::new() };
        // Its descriptors are closed, and its wakers are those of tasks that are not here.
        std::mem::forget(std::mem::replace(&mut *state, fresh));
    }
    state
}

/// The runtime of a fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookout;

impl Runtime for Lookout {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("lookout", u64::from(generation()))
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Ok(Box::new(Watch { number: LAST.fetch_add(1, Ordering::Relaxed), source: source.into_descriptor() }))
    }
}

#[derive(Debug)]
struct Watch {
    number: u64,
    source: TrackedFd,
}

impl Readiness for Watch {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Interest::Readable, cx)
    }

    fn is_edge_triggered(&self) -> bool {
        false
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Interest::Writable, cx)
    }
}

impl Watch {
    fn poll(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if readiness::wait(&self.source, interest, Some(Instant::now()))? {
            return Poll::Ready(Ok(()));
        }
        let watched = Watched { number: self.number, socket: self.source.clone(), interest, waker: cx.waker().clone() };
        let mut state = lock();
        let stale = state.take(self.number, Some(interest));
        state.watched.push(watched);
        let started = state.interrupt();
        drop(state);
        drop(stale);
        started?;
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = lock();
        let stale = state.take(self.number, None);
        // The thread has a copy of the descriptor until it looks at the list again.
        if !stale.is_empty() && state.interrupt.is_some() {
            let _ = state.interrupt();
        }
        drop(state);
        drop(stale);
    }
}

impl State {
    /// Takes those of one descriptor from the list, to be dropped without the lock.
    fn take(&mut self, number: u64, interest: Option<Interest>) -> Vec<Watched> {
        let is_it = |watched: &Watched| watched.number == number && interest.is_none_or(|one| one == watched.interest);
        let (taken, left) = std::mem::take(&mut self.watched).into_iter().partition(is_it);
        self.watched = left;
        taken
    }

    /// Has the thread look at the list, and starts it if there is none.
    fn interrupt(&mut self) -> io::Result<()> {
        if let Some(interrupt) = &self.interrupt {
            return counter::add_one(interrupt);
        }
        let (ours, theirs) = counter::open()?;
        thread::start("offproc-lookout", None, move || look_out(&ours))?;
        self.interrupt = Some(theirs.into_owned()?);
        Ok(())
    }
}

/// Wakes those whose descriptors are ready, until none is left.
fn look_out(interrupt: &TrackedFd) {
    loop {
        counter::take(interrupt);
        let mut state = lock();
        if state.watched.is_empty() {
            state.interrupt = None;
            return;
        }
        let watched = state.watched.clone();
        drop(state);
        let flags = |interest| if interest == Interest::Readable { PollFlags::IN } else { PollFlags::OUT };
        let mut polled = vec![PollFd::new(interrupt, PollFlags::IN)];
        polled.extend(watched.iter().map(|watched| PollFd::new(&watched.socket, flags(watched.interest))));
        // Interrupted, or refused: then they look for themselves.
        let is_refused = poll(&mut polled, None).is_err();
        let is_ready: Vec<_> = polled[1..].iter().map(|fd| is_refused || !fd.revents().is_empty()).collect();
        drop(polled);
        let ready = watched.iter().zip(is_ready).filter(|(_, is_ready)| *is_ready);
        let ready: Vec<_> = ready.flat_map(|(one, _)| lock().take(one.number, Some(one.interest))).collect();
        drop(watched);
        ready.into_iter().for_each(|watched| wake(watched.waker));
    }
}

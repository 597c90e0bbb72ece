//! A small reactor that needs no other thread of offproc's or of the program's runtime: one thread, which waits by
//! `poll` for as long as there is something to wait for.
//!
//! A fork of the program has none of those threads. A worker that was forked needs it, if its job waits by async code
//! for a channel; and any process, where a channel without memory has sent more than its socket has room for.

use super::poll_list::{PollList, next_number};
use super::runtime::{PollSource, Readiness, Runtime, RuntimeId};
use crate::sys::counter::OwnCounter;
use crate::sys::fork::generation;
use crate::sys::fork_registry::TrackedSocket;
use crate::sys::per_process::{Locked, PerProcess};
use crate::sys::readiness::{self, Interest};
use crate::sys::thread;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

static STATE: PerProcess<State> = PerProcess::new();

#[derive(Default)]
struct State {
    /// There while the thread runs.
    interrupt: Option<OwnCounter>,
    list: PollList,
}

fn lock() -> Locked<'static, State> {
    STATE.lock()
}

/// As the runtime of a fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookout;

impl Runtime for Lookout {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("lookout", u64::from(generation()))
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        Ok(Box::new(Watch { number: next_number(), source: source.into_descriptor() }))
    }

    fn is_own(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Watch {
    number: u64,
    source: TrackedSocket,
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
        let (source, waker) = (self.source.clone(), cx.waker().clone());
        let mut state = lock();
        let stale = state.list.add(self.number, source, interest, waker);
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
        let stale = state.list.remove(self.number);
        // The thread has a copy of the descriptor until it looks at the list again.
        if !stale.is_empty() && state.interrupt.is_some() {
            let _ = state.interrupt();
        }
        drop(state);
        drop(stale);
    }
}

impl State {
    /// Has the thread look at the list, and starts it if there is none.
    fn interrupt(&mut self) -> io::Result<()> {
        if let Some(interrupt) = &self.interrupt {
            return interrupt.add_one();
        }
        let interrupt = OwnCounter::open()?;
        let ours = interrupt.clone();
        thread::start("offproc-lookout", None, move || look_out(&ours))?;
        self.interrupt = Some(interrupt);
        Ok(())
    }
}

/// Wakes those whose descriptors are ready, until none is left.
fn look_out(interrupt: &OwnCounter) {
    loop {
        interrupt.take();
        let mut state = lock();
        if state.list.is_empty() {
            state.interrupt = None;
            return;
        }
        let snapshot = state.list.snapshot();
        drop(state);
        let _ = snapshot.wait(interrupt, |number, interest| lock().list.take(number, interest));
    }
}

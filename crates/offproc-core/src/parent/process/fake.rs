//! A fake process, which a test ends when it likes.

use crate::sync::{Condvar, Mutex};
use crate::sys::child::{Kill, NotOurs, NotPermitted, Unsupported, Wait};
use crate::sys::reap::{Reaped, Usage};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// The wait status of a process that was killed.
pub(crate) const KILLED: i32 = 9;

/// A handle of it, like a pidfd.
#[derive(Clone, Debug)]
pub(crate) struct FakeProcess(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    ended: Condvar,
    /// The kernel can kill a group by its leader's pidfd.
    knows_groups: bool,
}

#[derive(Debug)]
struct State {
    life: Life,
    /// Another process of its group runs.
    has_member: bool,
    waiting: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Runs,
    /// It has ended and keeps its number.
    Ended(i32),
    /// Its number may be another's.
    Reaped,
}

impl FakeProcess {
    pub(crate) fn start(knows_groups: bool) -> Self {
        let state = State { life: Life::Runs, has_member: true, waiting: Vec::new() };
        Self(Arc::new(Inner { state: Mutex::new(state), ended: Condvar::new(), knows_groups }))
    }

    /// It ends by itself, or by a signal.
    pub(crate) fn end(&self, status: i32) {
        let mut state = self.0.state.lock().unwrap();
        if state.life == Life::Runs {
            state.life = Life::Ended(status);
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            self.0.ended.notify_all();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.state.lock().unwrap().life != Life::Runs
    }

    pub(crate) fn is_reaped(&self) -> bool {
        self.0.state.lock().unwrap().life == Life::Reaped
    }

    pub(crate) fn has_member(&self) -> bool {
        self.0.state.lock().unwrap().has_member
    }

    fn status(&self, reaps: bool) -> Result<Option<i32>, NotOurs> {
        let mut state = self.0.state.lock().unwrap();
        match state.life {
            Life::Runs => Ok(None),
            Life::Ended(status) => {
                if reaps {
                    state.life = Life::Reaped;
                }
                Ok(Some(status))
            }
            Life::Reaped => Err(NotOurs),
        }
    }
}

impl Kill for FakeProcess {
    fn kill(&self) -> Result<(), NotPermitted> {
        self.end(KILLED);
        Ok(())
    }

    fn kill_group(&self) -> Result<(), Unsupported> {
        if !self.0.knows_groups {
            return Err(Unsupported);
        }
        self.0.state.lock().unwrap().has_member = false;
        self.end(KILLED);
        Ok(())
    }

    fn kill_group_by_number(&self) {
        let mut state = self.0.state.lock().unwrap();
        assert_ne!(state.life, Life::Reaped, "a signal to a number that may be another's");
        state.has_member = false;
        drop(state);
        self.end(KILLED);
    }
}

impl Wait for FakeProcess {
    fn pid(&self) -> u32 {
        1000
    }

    fn wait_until(&self, deadline: Instant) -> bool {
        let mut state = self.0.state.lock().unwrap();
        // A deadline that is still to come is too far for a test to see.
        while state.life == Life::Runs && deadline > Instant::now() {
            state = self.0.ended.wait(state).unwrap();
        }
        state.life != Life::Runs
    }

    async fn changed(&self) {
        poll_fn(|cx| {
            let mut state = self.0.state.lock().unwrap();
            if state.life == Life::Runs {
                state.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn is_reapable(&self) -> Result<bool, NotOurs> {
        self.status(false).map(|status| status.is_some())
    }

    fn reap(&self) -> Result<Option<Reaped>, NotOurs> {
        let usage = Usage { user: Duration::ZERO, system: Duration::ZERO, memory: 0 };
        Ok(self.status(true)?.map(|status| Reaped::new(status, usage)))
    }
}

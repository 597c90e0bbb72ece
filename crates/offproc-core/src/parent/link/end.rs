//! What the task of a link shares with the rest of the program.

use crate::error::remote::Remote;
use crate::parent::process::remote::RemoteWorker;
use crate::sync::AtomicWaker;
use crate::sys::command;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::image::Image;
use crate::wire::frame::{self, Kind};
use crate::wire::link::{HardLimits, Linked, Overuse, frame_of};
use rustix::io::Errno;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

/// The program's end of a link.
pub(crate) struct Link {
    command: String,
    index: Option<usize>,
    state: Mutex<State>,
    /// Wakes the task that keeps the link.
    task: AtomicWaker,
    /// Wakes the one that waits for its end.
    waiter: AtomicWaker,
}

struct State {
    /// `None` once it is cut.
    outlet: Option<TrackedFd>,
    /// Frames, or the rest of one, that there was no room for.
    unsent: Vec<u8>,
    linked: Option<Linked>,
    heard: Instant,
    is_killed: bool,
    has_left: bool,
    has_launcher_ended: bool,
    is_over: bool,
    lost: Option<String>,
    overuse: Option<Overuse>,
}

impl Link {
    pub(crate) fn new(command: String, index: Option<usize>, outlet: TrackedFd) -> Self {
        let state = State {
            outlet: Some(outlet),
            unsent: Vec::new(),
            linked: None,
            heard: Instant::now(),
            is_killed: false,
            has_left: false,
            has_launcher_ended: false,
            is_over: false,
            lost: None,
            overuse: None,
        };
        Self { command, index, state: Mutex::new(state), task: AtomicWaker::new(), waiter: AtomicWaker::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on frames go over this connection.
    pub(super) fn set_outlet(&self, outlet: TrackedFd) {
        let mut state = self.state();
        if state.outlet.is_some() {
            state.outlet = Some(outlet);
        }
    }

    /// Sends the first frame. The pipe is empty, and not yet one that does not block.
    pub(crate) fn greet(&self, frame: &[u8]) {
        self.send(frame);
    }

    /// Sends a frame, or what there is room for: see [`flush`](Self::flush).
    pub(super) fn send(&self, frame: &[u8]) {
        self.state().send(frame);
    }

    /// Sends the rest of what there was no room for. True once all is sent, or the link is cut.
    pub(super) fn flush(&self) -> bool {
        let mut state = self.state();
        state.flush();
        state.unsent.is_empty()
    }

    /// Sends a heartbeat, or of what is on its way what there is room for.
    pub(super) fn beat(&self) {
        let mut state = self.state();
        if state.unsent.is_empty() {
            state.send(&frame::empty(Kind::Heartbeat));
        } else {
            state.flush();
        }
    }

    /// The limits of the job that is posted next.
    pub(crate) fn limit_next(&self, limits: &HardLimits) {
        self.state().send(&frame_of(Kind::Limits, limits));
    }

    /// Something has come from the worker.
    pub(super) fn hear(&self) {
        self.state().heard = Instant::now();
    }

    /// Since when nothing has come from a worker that sends heartbeats.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let state = self.state();
        state.linked.as_ref().map(|_| state.heard)
    }

    /// The worker's first frame; an error if it is of another build.
    pub(super) fn set_linked(&self, linked: Linked) -> Result<(), Lost> {
        let (ours, theirs) = (Image::current().build(), linked.build);
        self.state().linked = Some(linked);
        if ours == theirs {
            return Ok(());
        }
        Err(Lost(format!(
            "it is of another build of the program than this one (worker {theirs:032x}, program {ours:032x}): install \
             the same executable there"
        )))
    }

    pub(super) fn is_linked(&self) -> bool {
        self.state().linked.is_some()
    }

    pub(super) fn set_left(&self) {
        self.state().has_left = true;
    }

    pub(super) fn set_overuse(&self, overuse: Overuse) {
        self.state().overuse.get_or_insert(overuse);
    }

    /// Why the worker has killed itself.
    pub(crate) fn overuse(&self) -> Option<Overuse> {
        self.state().overuse
    }

    /// Ready once the worker is to be killed, and has been sent that, as far as it can be.
    pub(super) fn killed(&self) -> impl Future<Output = ()> {
        self.until(|state| state.is_killed && state.unsent.is_empty())
    }

    /// Ready once the launcher has ended.
    pub(super) fn launcher_has_ended(&self) -> impl Future<Output = ()> {
        self.until(|state| state.has_launcher_ended)
    }

    fn until(&self, is_so: fn(&State) -> bool) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            self.task.register(cx.waker());
            if is_so(&self.state()) { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// The end of the link: the worker, if it lives, finds that.
    pub(super) fn end(&self, lost: Option<Lost>) {
        let mut state = self.state();
        state.cut();
        state.is_over = true;
        state.lost = lost.map(|Lost(why)| why);
        drop(state);
        self.waiter.wake();
    }
}

impl State {
    fn send(&mut self, frame: &[u8]) {
        if self.outlet.is_none() {
            return;
        }
        self.unsent.extend_from_slice(frame);
        self.flush();
    }

    fn flush(&mut self) {
        let Some(outlet) = &self.outlet else { return };
        let mut sent = 0;
        while sent < self.unsent.len() {
            match command::send(outlet, &self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(Errno::AGAIN) => break,
                // The worker is gone. What it has sent before is read all the same.
                Err(_) => sent = self.unsent.len(),
            }
        }
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            self.unsent.shrink_to(4096);
        }
    }

    fn cut(&mut self) {
        self.outlet = None;
        self.unsent = Vec::new();
    }
}

/// Why a link is given up.
#[derive(Debug)]
pub(super) struct Lost(pub(super) String);

impl RemoteWorker for Link {
    fn kill(&self) -> bool {
        let mut state = self.state();
        if !state.is_killed {
            state.is_killed = true;
            state.send(&frame::empty(Kind::Kill));
        }
        let is_sent = state.unsent.is_empty();
        if !is_sent {
            state.cut();
        }
        drop(state);
        self.task.wake();
        is_sent
    }

    fn launcher_has_ended(&self) {
        self.state().has_launcher_ended = true;
        self.task.wake();
    }

    fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiter.register(cx.waker());
        if self.state().is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    fn end(&self) -> Remote {
        let state = self.state();
        Remote {
            command: self.command.clone(),
            index: self.index,
            pid: state.linked.as_ref().map(|linked| linked.pid),
            host: state.linked.as_ref().map(|linked| linked.host.clone()),
            has_left: state.has_left,
            is_killed: state.is_killed,
            lost: state.lost.clone(),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("command", &self.command).field("index", &self.index).finish_non_exhaustive()
    }
}

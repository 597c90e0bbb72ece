//! Finds calls whose reactor does not run.
//!
//! A call waits with the reactor of the current runtime. That runtime need not poll it: a library's own `block_on` may
//! wait for the call on a runtime's only thread, which runs no reactor meanwhile; and a runtime may have been entered
//! that no thread runs. Such a call is in doubt. While one is parked, the background thread checks every few
//! milliseconds whether its descriptor is ready. If the call still waits at the next check, its reactor does not
//! answer: the thread wakes the call, which uses offproc's own reactor from then on. While no call is in doubt, the
//! background thread sleeps.

use super::timer::sleep;
use crate::sys::fork_registry::TrackedSocket;
use crate::sys::readiness::{self, Interest};
use crate::wait_list::wake;
use atomic_waker::AtomicWaker;
use rustix::event::PollFlags;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The time between two checks.
const TICK: Duration = Duration::from_millis(10);
const SLOW_TICK: Duration = Duration::from_millis(50);
/// After so many checks without a parked call, the background thread sleeps until a call is in doubt.
const QUIET: u32 = 20;

static WATCHED: Mutex<Vec<Weak<Doubt>>> = Mutex::new(Vec::new());
static BACKGROUND: AtomicWaker = AtomicWaker::new();
static SLEEPS: AtomicBool = AtomicBool::new(true);

/// One descriptor whose calls are in doubt from time to time.
#[derive(Debug)]
pub(super) struct Doubt {
    descriptor: TrackedSocket,
    parked: Mutex<Parked>,
    deserted: AtomicBool,
}

#[derive(Debug)]
struct Parked {
    // There while a call is parked.
    waker: Option<Waker>,
    events: PollFlags,
    since: Option<Instant>,
    // Its descriptor was ready at the last check.
    was_ready: bool,
}

impl Doubt {
    pub(super) fn new(descriptor: TrackedSocket) -> Arc<Self> {
        let parked = Parked { waker: None, events: PollFlags::empty(), since: None, was_ready: false };
        let doubt = Arc::new(Self { descriptor, parked: Mutex::new(parked), deserted: AtomicBool::new(false) });
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push(Arc::downgrade(&doubt));
        doubt
    }

    fn lock(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call waits, with a reactor that may not answer.
    pub(super) fn park(&self, waker: &Waker, events: PollFlags) {
        let waker = waker.clone();
        let mut parked = self.lock();
        let stale = parked.waker.replace(waker);
        parked.events |= events;
        parked.was_ready = false;
        parked.since.get_or_insert_with(Instant::now);
        drop(parked);
        drop(stale);
        if SLEEPS.load(Ordering::SeqCst) && SLEEPS.swap(false, Ordering::SeqCst) {
            BACKGROUND.wake();
        }
    }

    /// The call no longer waits, or is about to check for itself.
    pub(super) fn unpark(&self) {
        let mut parked = self.lock();
        let stale = parked.waker.take();
        parked.events = PollFlags::empty();
        parked.since = None;
        drop(parked);
        drop(stale);
    }

    /// True once a reactor has not answered; never for a call that its runtime drives.
    pub(super) fn is_deserted(&self, is_driven: bool) -> bool {
        if is_driven {
            self.deserted.store(false, Ordering::Relaxed);
        }
        self.deserted.load(Ordering::Relaxed)
    }

    /// Since when a call has been parked, if one is. Wakes one whose reactor has not answered.
    fn look(&self) -> Option<Instant> {
        let mut parked = self.lock();
        parked.waker.as_ref()?;
        let is_ready = is_ready(&self.descriptor, parked.events);
        if is_ready && parked.was_ready {
            self.deserted.store(true, Ordering::Relaxed);
            let waker = parked.waker.take();
            drop(parked);
            waker.into_iter().for_each(wake);
            return None;
        }
        parked.was_ready = is_ready;
        parked.since
    }
}

fn is_ready(descriptor: &TrackedSocket, events: PollFlags) -> bool {
    let now = Some(Instant::now());
    [(PollFlags::IN, Interest::Readable), (PollFlags::OUT, Interest::Writable)]
        .into_iter()
        .any(|(event, wanted)| events.contains(event) && readiness::wait(descriptor, wanted, now).unwrap_or(false))
}

/// All doubts.
fn doubts() -> Vec<Arc<Doubt>> {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.retain(|doubt| doubt.strong_count() > 0);
    watched.iter().filter_map(Weak::upgrade).collect()
}

/// Checks all of them; returns how long until the next check. `None` if no call is parked.
fn look() -> Option<Duration> {
    let newest = doubts().iter().filter_map(|doubt| doubt.look()).max()?;
    Some(if newest.elapsed() < Duration::from_secs(1) { TICK } else { SLOW_TICK })
}

/// On the background thread, for as long as that runs.
pub(super) async fn drive() {
    let mut quiet = QUIET;
    loop {
        let pause = look();
        quiet = if pause.is_some() { 0 } else { quiet.saturating_add(1) };
        if quiet < QUIET {
            sleep(pause.unwrap_or(TICK)).await;
            continue;
        }
        SLEEPS.store(true, Ordering::SeqCst);
        poll_fn(until_doubt).await;
        quiet = 0;
    }
}

/// Ready when a call is in doubt. This also sees a call that parked just before the background thread went to sleep.
fn until_doubt(cx: &mut Context<'_>) -> Poll<()> {
    BACKGROUND.register(cx.waker());
    let is_awake = !SLEEPS.load(Ordering::SeqCst) || doubts().iter().any(|doubt| doubt.lock().waker.is_some());
    if is_awake {
        SLEEPS.store(false, Ordering::SeqCst);
        return Poll::Ready(());
    }
    Poll::Pending
}

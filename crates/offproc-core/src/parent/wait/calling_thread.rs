//! A thread that blocks for a future and, while it sleeps, waits itself for the descriptors of what it has polled. An
//! answer then wakes the thread that needs it, and no reactor's thread in between.

use crate::parent::poll_list::{PollList, next_number};
use crate::parent::runtime::{PollSource, Readiness, Runtime, RuntimeId};
use crate::sys::counter::OwnCounter;
use crate::sys::fork::is_forked;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::readiness::{self, Interest};
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current { polls: None, spare: None }) };
}

struct Current {
    /// That of the future which the thread polls.
    polls: Option<(Arc<Sleeper>, Waker)>,
    /// That of the last one, to be used again.
    spare: Option<Arc<Sleeper>>,
}

/// Where one thread sleeps while its future is pending, and what it waits for meanwhile.
#[derive(Debug)]
pub(super) struct Sleeper {
    number: u64,
    state: Mutex<State>,
    woken: Condvar,
    list: Mutex<PollList>,
    /// Interrupts the wait for descriptors. There from the first of them to the end of the future: a thread that does
    /// not block has none.
    interrupt: Mutex<Option<OwnCounter>>,
    /// The system does not let it wait for so many descriptors: a reactor has to.
    is_refused: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    is_woken: bool,
    is_polling: bool,
}

impl Sleeper {
    fn new() -> Self {
        Self {
            number: next_number(),
            state: Mutex::default(),
            woken: Condvar::new(),
            list: Mutex::default(),
            interrupt: Mutex::new(None),
            is_refused: AtomicBool::new(false),
        }
    }

    /// For the calling thread, until it is given back.
    pub(super) fn get() -> Arc<Self> {
        let spare = CURRENT.try_with(|current| current.borrow_mut().spare.take()).ok().flatten();
        spare.unwrap_or_else(|| Arc::new(Self::new()))
    }

    /// The thread may use it again. What a pending future has left in it wakes no other.
    pub(super) fn give_back(self: Arc<Self>) {
        drop(self.interrupt().take());
        // Without the borrow, as the last owner of another may be dropped here.
        let _ = CURRENT.try_with(|current| current.borrow_mut().spare.replace(self));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn interrupt(&self) -> MutexGuard<'_, Option<OwnCounter>> {
        self.interrupt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> MutexGuard<'_, PollList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error once the system has refused a wait for as many descriptors.
    fn must_be_allowed(&self) -> io::Result<()> {
        if self.is_refused.load(Ordering::Relaxed) { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }

    /// Opens what interrupts it, if it is not there yet.
    fn must_be_interruptible(&self) -> io::Result<()> {
        let mut interrupt = self.interrupt();
        if interrupt.is_none() {
            *interrupt = Some(OwnCounter::open()?);
        }
        Ok(())
    }

    /// Has the thread look at the list again, where it sleeps: until then it has copies of the descriptors in it.
    fn rouse(&self, state: MutexGuard<'_, State>) {
        let is_polling = state.is_polling;
        drop(state);
        match &*self.interrupt() {
            Some(interrupt) if is_polling => _ = interrupt.add_one(),
            _ => self.woken.notify_one(),
        }
    }

    /// Sleeps until it is woken.
    pub(super) fn sleep(&self) {
        loop {
            let interrupt = self.interrupt().clone();
            let mut state = self.state();
            while interrupt.is_none() && !state.is_woken {
                state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if std::mem::take(&mut state.is_woken) {
                return;
            }
            let Some(interrupt) = interrupt else { continue };
            // What changes the list from here on interrupts this thread, which has copies of what was in it.
            state.is_polling = true;
            drop(state);
            let snapshot = self.list().snapshot();
            let is_allowed = snapshot.wait(&interrupt, |number, interest| self.list().take(number, interest));
            self.is_refused.fetch_or(!is_allowed, Ordering::Relaxed);
            self.state().is_polling = false;
            interrupt.take();
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_woken, true) {
            return;
        }
        self.rouse(state);
    }
}

/// While a future of the calling thread is polled. They nest.
pub(super) struct Entered(Option<(Arc<Sleeper>, Waker)>);

impl Entered {
    pub(super) fn new(sleeper: &Arc<Sleeper>, waker: &Waker) -> Self {
        let now = Some((Arc::clone(sleeper), waker.clone()));
        Self(CURRENT.try_with(|current| std::mem::replace(&mut current.borrow_mut().polls, now)).ok().flatten())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        let _ = CURRENT.try_with(|current| std::mem::replace(&mut current.borrow_mut().polls, before));
    }
}

/// The runtime of a future that blocks the calling thread: that thread itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallingThread;

impl CallingThread {
    /// Whether it can be used now. In a fork, and on a thread that has lost its thread-locals, it cannot.
    pub(super) fn is_there() -> bool {
        !is_forked() && Self::with(|_, _| ()).is_some()
    }

    fn with<T>(look: impl FnOnce(&Arc<Sleeper>, &Waker) -> T) -> Option<T> {
        let with =
            |current: &RefCell<Current>| current.borrow().polls.as_ref().map(|(sleeper, waker)| look(sleeper, waker));
        CURRENT.try_with(with).ok().flatten()
    }
}

impl Runtime for CallingThread {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("calling thread", Self::with(|sleeper, _| sleeper.number).unwrap_or(u64::MAX))
    }

    fn watch(&self, source: PollSource) -> io::Result<Box<dyn Readiness>> {
        let sleeper = Self::with(|sleeper, _| Arc::clone(sleeper)).ok_or(io::ErrorKind::Unsupported)?;
        sleeper.must_be_allowed()?;
        sleeper.must_be_interruptible()?;
        Ok(Box::new(Watch { number: next_number(), source: source.into_descriptor(), sleeper }))
    }

    fn is_own(&self) -> bool {
        true
    }

    /// Foreign code that the future polls may block the thread with another executor.
    fn drives(&self, waker: &Waker) -> bool {
        Self::with(|_, own| own.will_wake(waker)).unwrap_or(false)
    }
}

#[derive(Debug)]
struct Watch {
    number: u64,
    source: TrackedFd,
    sleeper: Arc<Sleeper>,
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
        self.sleeper.must_be_allowed()?;
        // This may be another future than the one that it was registered for.
        self.sleeper.must_be_interruptible()?;
        if readiness::wait(&self.source, interest, Some(Instant::now()))? {
            return Poll::Ready(Ok(()));
        }
        let (source, waker) = (self.source.clone(), cx.waker().clone());
        let stale = self.sleeper.list().add(self.number, source, interest, waker);
        // Without the lock.
        drop(stale);
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let stale = self.sleeper.list().remove(self.number);
        if !stale.is_empty() {
            self.sleeper.rouse(self.sleeper.state());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parent::channel::registered::Registered;
    use crate::parent::runtime::{AsyncIo, RuntimeSelector};
    use crate::parent::wait::wait;
    use crate::sys::pairs::pair;
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::ready;
    use std::thread;

    fn readable(end: &mut Registered, cx: &mut Context<'_>) -> Poll<()> {
        end.poll_readable(cx, &RuntimeSelector::fallback()).map(Result::unwrap)
    }

    fn send(to: &TrackedFd) {
        rustix::io::write(to, b"x").unwrap();
    }

    fn receive(from: &TrackedFd) -> bool {
        rustix::net::recv(from, &mut [0; 1], rustix::net::RecvFlags::DONTWAIT).is_ok()
    }

    /// Until there is a byte.
    fn poll_byte(end: &mut Registered, cx: &mut Context<'_>) -> Poll<()> {
        while !receive(end.descriptor()) {
            ready!(readable(end, cx));
        }
        Poll::Ready(())
    }

    #[test]
    fn is_woken_by_what_it_waits_for_and_by_other_threads() {
        let (ours, theirs) = pair().unwrap();
        let mut end = Registered::new(ours);
        let (polled, polls) = channel();
        let other = thread::spawn(move || {
            for n in 0..100 {
                let waker: Waker = polls.recv().unwrap();
                // A waker alone, and then the descriptor.
                if n % 2 == 0 { waker.wake() } else { send(&theirs) }
            }
        });
        for n in 0..100 {
            let mut is_polled = false;
            wait(poll_fn(|cx| {
                let byte = poll_byte(&mut end, cx);
                if !std::mem::replace(&mut is_polled, true) {
                    assert!(byte.is_pending());
                    polled.send(cx.waker().clone()).unwrap();
                    return Poll::Pending;
                }
                if n % 2 == 0 { Poll::Ready(()) } else { byte }
            }));
        }
        other.join().unwrap();
    }

    #[test]
    fn nested_waits_have_sleepers_of_their_own() {
        let number = || CallingThread::with(|sleeper, _| sleeper.number);
        let (outer, inner, after) = wait(async { (number(), wait(async { number() }), number()) });
        assert!(outer.is_some() && inner.is_some());
        assert_ne!(outer, inner);
        assert_eq!(outer, after);
        assert_eq!(number(), None);
    }

    /// A thread that sleeps would keep the other end from seeing that this one was closed.
    #[test]
    fn what_others_drop_meanwhile_is_closed() {
        let (ours, theirs) = pair().unwrap();
        let place = Arc::new(Mutex::new(Some(Registered::new(ours))));
        let (polled, polls) = channel();
        let sleeps = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                wait(poll_fn(|cx| match &mut *place.lock().unwrap() {
                    Some(end) => {
                        assert!(readable(end, cx).is_pending());
                        polled.send(cx.waker().clone()).unwrap();
                        Poll::Pending
                    }
                    None => Poll::Ready(()),
                }));
            })
        };
        let waker = polls.recv().unwrap();
        drop(place.lock().unwrap().take());
        assert_eq!(rustix::net::recv(&theirs, &mut [0; 1], rustix::net::RecvFlags::empty()).map(|(n, _)| n), Ok(0));
        waker.wake();
        sleeps.join().unwrap();
    }

    /// It sleeps elsewhere than in this thread's `sleep`.
    #[test]
    fn does_not_drive_another_executor() {
        let selector = RuntimeSelector::fallback();
        wait(poll_fn(|cx| {
            assert!(selector.current().drives(cx.waker()));
            assert!(!selector.current().drives(Waker::noop()));
            Poll::Ready(())
        }));
    }

    #[test]
    fn leaves_it_to_the_reactor_once_the_system_refuses() {
        let (ours, theirs) = pair().unwrap();
        let mut end = Registered::new(ours);
        send(&theirs);
        let is_own = wait(poll_fn(|cx| {
            CallingThread::with(|sleeper, _| sleeper.is_refused.store(true, Ordering::Relaxed));
            ready!(poll_byte(&mut end, cx));
            let refused = CallingThread.watch(PollSource::new(theirs.clone())).is_err();
            CallingThread::with(|sleeper, _| sleeper.is_refused.store(false, Ordering::Relaxed));
            Poll::Ready(refused)
        }));
        assert!(is_own);
        // Elsewhere it is the reactor's.
        let mut later = pin!(poll_fn(|cx| readable(&mut end, cx)));
        assert!(later.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(RuntimeSelector::fallback().current().id(), AsyncIo.id());
    }
}

//! A descriptor that is registered with the runtime that waits for it.

use crate::parent::runtime::{AsyncIo, ClockHold, PollSource, Readiness, Runtime, RuntimeId, RuntimeSelector};
use crate::parent::watchdog::Doubt;
use crate::sys::fork_registry::TrackedSocket;
use rustix::event::PollFlags;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A descriptor that is registered once with each runtime that waits on it.
#[derive(Debug)]
pub(crate) struct Registered {
    // Dropped first: a registration must end before its descriptor is closed.
    registration: Option<Registration>,
    // `Some` while a call waits in a runtime whose clock would run ahead.
    clock: Option<ClockHold>,
    // `Some` from the first call on whose reactor might not run.
    doubt: Option<Arc<Doubt>>,
    is_doubted: bool,
    descriptor: TrackedSocket,
}

#[derive(Debug)]
struct Registration {
    // The runtime it was made for. If that has no reactor, it is registered with offproc's own.
    runtime: RuntimeId,
    watch: Box<dyn Readiness>,
    // The reactor is offproc's own, which always answers.
    is_own: bool,
    // The reactor has answered, so it does for all tasks of its runtime.
    is_proven: bool,
}

impl Registered {
    pub(crate) fn new(descriptor: TrackedSocket) -> Self {
        Self { registration: None, clock: None, doubt: None, is_doubted: false, descriptor }
    }

    pub(crate) fn descriptor(&self) -> &TrackedSocket {
        &self.descriptor
    }

    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<io::Result<()>> {
        self.poll(cx, runtime, PollFlags::IN, |watch, cx| watch.poll_readable(cx))
    }

    pub(crate) fn poll_writable(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<io::Result<()>> {
        self.poll(cx, runtime, PollFlags::OUT, |watch, cx| watch.poll_writable(cx))
    }

    /// False if readiness lasts until the descriptor is read.
    pub(crate) fn is_edge_triggered(&self) -> bool {
        self.registration.as_ref().is_some_and(|registration| registration.watch.is_edge_triggered())
    }

    /// True while the watchdog checks whether the descriptor is ready: what was there before the wait must not count.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// The runtime's clock need not stand still for this wait.
    pub(crate) fn let_clock_run(&mut self) {
        self.clock = None;
    }

    /// The wait is over.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.is_doubted {
            self.is_doubted = false;
            self.doubt.iter().for_each(|doubt| doubt.unpark());
        }
        self.clock = None;
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
        events: PollFlags,
        poll: fn(&dyn Readiness, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let runtime = runtime.current();
        let is_driven = runtime.drives(cx.waker());
        let runtime: &dyn Runtime = match &self.doubt {
            Some(doubt) if doubt.is_deserted(is_driven) => &AsyncIo,
            _ => runtime,
        };
        let id = runtime.id();
        if self.registration.as_ref().is_none_or(|registration| registration.runtime != id) {
            self.register(runtime, id)?;
        }
        let mut is_polled_anew = false;
        let registration = loop {
            let Some(registration) = &mut self.registration else { unreachable!("it was made above") };
            match poll(&*registration.watch, cx) {
                Poll::Pending => break registration,
                Poll::Ready(Ok(())) => {
                    registration.is_proven |= is_driven;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(e)) if is_polled_anew => return Poll::Ready(Err(e)),
                // The runtime it was registered with is ending, and this call goes on elsewhere.
                Poll::Ready(Err(_)) => {
                    is_polled_anew = true;
                    self.register(runtime, id)?;
                }
            }
        };
        let is_sure = is_driven && (registration.is_own || registration.is_proven);
        if self.clock.is_none() {
            self.clock = runtime.hold_clock();
        }
        if !is_sure {
            let doubt = self.doubt.get_or_insert_with(|| Doubt::new(self.descriptor.clone()));
            doubt.park(cx.waker(), events);
            if !self.is_doubted {
                self.is_doubted = true;
                // Old data may still be there: the caller tries again, and reads it.
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Registers with the runtime, or, if that has no reactor or has ended, with offproc's own.
    fn register(&mut self, runtime: &dyn Runtime, id: RuntimeId) -> io::Result<()> {
        // One registration at a time.
        self.registration = None;
        self.rest();
        let (watch, is_own) = match runtime.watch(PollSource::new(self.descriptor.clone())) {
            // In a fork, the watchdog's lock may be held for good.
            Ok(watch) => (watch, runtime.is_own()),
            Err(_) => (AsyncIo.watch(PollSource::new(self.descriptor.clone()))?, true),
        };
        self.registration = Some(Registration { runtime: id, watch, is_own, is_proven: false });
        Ok(())
    }
}

impl Drop for Registered {
    /// Drops the waker of a dropped call, which is foreign code, here, and not in the watchdog's last check.
    fn drop(&mut self) {
        self.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parent::lookout::Lookout;
    use crate::sys::pairs::pair;
    use std::task::{Wake, Waker};

    /// A runtime that no thread runs.
    #[derive(Debug)]
    struct Undriven;

    #[derive(Debug)]
    struct Silent;

    impl Runtime for Undriven {
        fn id(&self) -> RuntimeId {
            RuntimeId::new("undriven", 0)
        }

        fn watch(&self, _: PollSource) -> io::Result<Box<dyn Readiness>> {
            Ok(Box::new(Silent))
        }

        fn drives(&self, _: &Waker) -> bool {
            false
        }
    }

    impl Readiness for Silent {
        fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn is_edge_triggered(&self) -> bool {
            true
        }

        fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// It runs on a thread of its own, and in a fork there is no watchdog to ask.
    #[test]
    fn the_reactor_of_a_fork_is_not_doubted() {
        let (ours, _theirs) = pair().unwrap();
        let mut watched = Registered::new(ours);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(watched.poll_readable(&mut cx, &RuntimeSelector::only(Lookout)).is_pending());
        assert!(watched.doubt.is_none() && !watched.is_doubted());
    }

    /// The watchdog may check it just then, and would drop the waker on the thread that all others need.
    #[test]
    fn dropped_in_the_middle_of_a_wait_it_takes_the_waker_along() {
        struct Task;
        impl Wake for Task {
            fn wake(self: Arc<Self>) {
                unreachable!("nothing happens that it waits for");
            }
        }
        let task = Arc::new(Task);
        let waker = Waker::from(Arc::clone(&task));
        let mut watched = Registered::new(pair().unwrap().0);
        let runtime = RuntimeSelector::new(None, || &Undriven);
        let mut poll = || watched.poll_readable(&mut Context::from_waker(&waker), &runtime);
        assert!(poll().is_ready(), "to be tried again");
        assert!(poll().is_pending());
        let looked_at = watched.doubt.clone();
        assert!(looked_at.is_some());
        drop((watched, waker));
        assert_eq!(Arc::strong_count(&task), 1);
    }
}

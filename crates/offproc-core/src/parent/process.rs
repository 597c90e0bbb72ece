//! A worker's process, as the parent knows it: killed by whoever may, reaped by the keeper, seen to end by whoever
//! waits.

use super::keeper;
use super::witness::Witness;
use crate::error::death::{Death, End};
use crate::error::{BrokenWorkerError, Phase};
use crate::sync::{AtomicBool, AtomicU8, AtomicWaker, Mutex, OnceLock, Ordering, fence};
use crate::sys::fork::is_forked;
use crate::sys::process::{Child, Extent};
use crate::sys::reap::Reaped;
use async_io::Timer;
use futures_lite::future;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Told of the end of a process before anybody can see it.
type Hook = Box<dyn FnOnce(Option<BrokenWorkerError>) + Send>;

pub(crate) struct Process {
    // Unlike a process id, never used again.
    serial: u64,
    // A fork server's worker is known only once the server has said so.
    child: OnceLock<Child>,
    kill_wanted: AtomicBool,
    // Its end is to be waited for here; otherwise the fork server tells it.
    is_ours: AtomicBool,
    is_waited_for: AtomicBool,
    // The kernel counts this for it, although it was not its own.
    inherited_memory: AtomicU64,
    end: OnceLock<End>,
    reaped: AtomicBool,
    // One at a time waits: whoever holds the `Worker`.
    waiter: AtomicWaker,
    phase: AtomicU8,
    leaving: AtomicBool,
    excused: AtomicBool,
    kill_tree: AtomicBool,
    // Its end was told as an error, once.
    blamed: AtomicBool,
    witness: OnceLock<Witness>,
    hook: Mutex<Option<Hook>>,
}

impl Process {
    /// Takes charge of a child of ours: the keeper waits for its end from now on.
    pub(crate) fn adopt(child: Child) -> Arc<Self> {
        let process = Self::announced();
        process.is_ours.store(true, Ordering::SeqCst);
        process.arrived(child);
        process
    }

    /// A process that somebody else starts for us, and will tell us the end of.
    pub(crate) fn announced() -> Arc<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            serial: LAST.fetch_add(1, Ordering::Relaxed),
            child: OnceLock::new(),
            kill_wanted: AtomicBool::new(false),
            inherited_memory: AtomicU64::new(u64::MAX),
            is_ours: AtomicBool::new(false),
            is_waited_for: AtomicBool::new(false),
            end: OnceLock::new(),
            reaped: AtomicBool::new(false),
            waiter: AtomicWaker::new(),
            phase: AtomicU8::new(Phase::Start as u8),
            leaving: AtomicBool::new(false),
            excused: AtomicBool::new(false),
            kill_tree: AtomicBool::new(false),
            blamed: AtomicBool::new(false),
            witness: OnceLock::new(),
            hook: Mutex::new(None),
        })
    }

    /// The announced process is there.
    pub(crate) fn arrived(self: &Arc<Self>, child: Child) {
        let _ = self.child.set(child);
        fence(Ordering::SeqCst);
        // Either this sees the wish of a `kill` that came before, or that `kill` sees the child.
        if self.kill_wanted.load(Ordering::SeqCst) {
            self.send_kill();
        }
        if self.is_ours.load(Ordering::SeqCst) {
            self.wait_if_ours();
        } else {
            self.see_end();
        }
    }

    /// Sees the end of a process whose fork server is to tell how it ended. One that is stopped never does.
    fn see_end(self: &Arc<Self>) {
        const PATIENCE: Duration = Duration::from_secs(1);
        const PAUSE: Duration = Duration::from_millis(5);
        let process = Arc::clone(self);
        keeper::entrust(async move {
            let Some(child) = process.child.get() else { return };
            child.ended().await;
            let ended = Instant::now();
            while !process.has_ended() {
                if ended.elapsed() > PATIENCE {
                    return process.record_end(None);
                }
                Timer::after(PAUSE).await;
            }
        });
    }

    /// Nobody else tells its end: the keeper waits for it, once it is known which process it is.
    pub(crate) fn wait_here(self: &Arc<Self>) {
        self.is_ours.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.wait_if_ours();
        self.waiter.wake();
    }

    fn wait_if_ours(self: &Arc<Self>) {
        let can = self.is_ours.load(Ordering::SeqCst) && self.child.get().is_some();
        if can && !self.is_waited_for.swap(true, Ordering::SeqCst) {
            let process = Arc::clone(self);
            keeper::entrust(async move {
                if let Some(child) = process.child.get() {
                    let how = child.wait(|| process.extent()).await;
                    process.record_end(how);
                }
            });
        }
    }

    /// True when who was to announce it has gone. It may have done so before.
    pub(crate) fn is_unannounced(&self) -> bool {
        self.is_ours.load(Ordering::SeqCst) && self.child.get().is_none()
    }

    /// From here on, what it has started is killed with it.
    pub(crate) fn set_kill_tree(&self) {
        self.kill_tree.store(true, Ordering::SeqCst);
    }

    pub(crate) fn extent(&self) -> Extent {
        Extent::of(self.kill_tree.load(Ordering::SeqCst))
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    pub(crate) fn child(&self) -> Option<&Child> {
        self.child.get()
    }

    pub(crate) fn set_witness(&self, witness: Witness) {
        let _ = self.witness.set(witness);
    }

    /// For the end of the program: what is there of its stderr is to come out.
    pub(crate) fn print_last_words(&self) {
        if let Some(stderr) = self.witness.get().and_then(Witness::stderr) {
            let _ = stderr.last_words();
        }
    }

    /// It has told how much memory is counted for it that was another's.
    pub(crate) fn set_inherited_memory(&self, bytes: u64) {
        self.inherited_memory.store(bytes, Ordering::Relaxed);
    }

    /// The process has ended and been reaped; `None` where somebody else was told how.
    pub(crate) fn record_end(&self, how: Option<Reaped>) {
        let mut end = End {
            at: Some(Instant::now()),
            status: how.map(|how| how.status()),
            usage: how.map(|how| how.usage),
            peak_memory: how
                .map(|how| how.usage.memory)
                .filter(|memory| *memory > self.inherited_memory.load(Ordering::Relaxed)),
            ..End::default()
        };
        if let Some(witness) = self.witness.get() {
            witness.testify(self.pid(), self.kill_wanted.load(Ordering::SeqCst), &mut end);
        }
        // Under the lock, so that a hook installed meanwhile either sees the end or is seen here.
        let hook = {
            let mut hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = self.end.set(end);
            hook.take()
        };
        if let Some(hook) = hook {
            hook(self.blame());
        }
        // Last, so that whoever sees the end finds it on the books.
        self.reaped.store(true, Ordering::SeqCst);
        self.waiter.wake();
    }

    /// Installs what is told of the end: an error when it was unclean and nobody waited for an answer.
    pub(crate) fn on_end(&self, told: Hook) {
        let mut hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
        if self.end.get().is_none() {
            *hook = Some(told);
        } else {
            drop(hook);
            told(self.blame());
        }
    }

    /// The end as an error, when it is one, came while the process had no job, and was not our doing.
    fn blame(&self) -> Option<BrokenWorkerError> {
        let clean = self.end.get().and_then(|end| end.status).is_none_or(|status| status.success());
        let blamed = self.phase().has_no_caller() && !clean && !self.excused.load(Ordering::SeqCst);
        (blamed && !self.blamed.swap(true, Ordering::SeqCst)).then(|| self.error())
    }

    /// The job under way turned out not to have been taken. If the process has ended uncleanly by now, and its end was
    /// taken for the job's affair, it is told here.
    pub(crate) fn was_idle(&self) -> Option<BrokenWorkerError> {
        self.set_phase(Phase::Idle);
        self.untold_end()
    }

    /// Its unclean end, if it has come while it had no job and was not told.
    pub(crate) fn untold_end(&self) -> Option<BrokenWorkerError> {
        // Under the lock: either the end is seen here, or whoever records it sees what was stored before.
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.end.get().is_some();
        drop(hook);
        if ended { self.blame() } else { None }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.get().map_or(0, Child::pid)
    }

    fn send_kill(&self) {
        if is_forked() {
            return; // a copy of the process that started the worker has no say over it
        }
        self.kill_wanted.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if let Some(child) = self.child.get() {
            child.kill(self.extent());
        }
    }

    /// SIGKILL, now. Its end is then nobody's fault.
    pub(crate) fn kill(&self) {
        if !self.has_ended() {
            self.excused.store(true, Ordering::SeqCst);
            self.send_kill();
        }
    }

    /// SIGKILL for a process that overstayed; its end is told as an error.
    pub(crate) fn kill_overdue(&self) {
        self.send_kill();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.reaped.load(Ordering::SeqCst)
    }

    /// True once it was asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    pub(crate) fn set_leaving(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Ready once the process is reaped, or nobody will announce it any more.
    pub(crate) fn poll_end_or_loss(&self, cx: &mut Context<'_>) -> Poll<()> {
        let ended = self.poll_end(cx);
        if self.is_unannounced() { Poll::Ready(()) } else { ended }
    }

    /// Ready once the process is reaped.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended() {
            return Poll::Ready(());
        }
        self.waiter.register(cx.waker());
        // The end may have come between the look and the registration.
        if self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the process, which `leaves`, is reaped; past the grace period it is killed, as one that overstayed.
    pub(crate) async fn end_within(&self, leaves: impl Future<Output = ()>, grace: impl Future<Output = ()>) {
        let ended = async {
            leaves.await;
            poll_fn(|cx| self.poll_end(cx)).await;
            true
        };
        let overdue = async {
            grace.await;
            false
        };
        if !future::or(ended, overdue).await {
            self.kill_overdue();
            poll_fn(|cx| self.poll_end(cx)).await;
        }
    }

    /// Blocks until the process has ended, at most until the deadline. For the end of the program.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        self.has_ended()
            || self.child.get().is_none_or(|child| {
                let ended = child.wait_until(deadline);
                if ended {
                    // The keeper may not get to it any more. If it does, it finds nothing to reap.
                    if child.try_wait(self.extent()).is_err() {
                        child.kill(self.extent());
                    }
                }
                ended
            })
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::SeqCst))]
    }

    /// How it ended, for a report.
    pub(crate) fn error(&self) -> BrokenWorkerError {
        BrokenWorkerError::of(Death {
            pid: self.pid(),
            phase: self.phase(),
            offence: None,
            task: None,
            ran_for: None,
            end: self.end.get().cloned().unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("pid", &self.pid()).field("end", &self.end).finish_non_exhaustive()
    }
}

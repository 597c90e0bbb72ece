//! A worker's process, supervised by the parent: several owners may kill it, the background thread reaps it, and the
//! holder of the worker waits for its end.

use super::diagnostics::ExitDiagnostics;
use super::exit::{EndHook, ExitHook, ExitKind, WorkerExit};
use super::exit_policy::KillReason;
use super::remote::RemoteWorker;
use super::state::ProcessState;
use super::supervision::{Duty, Supervision};
use crate::error::exit_info::{ExitInfo, ExitReport};
use crate::error::{BrokenWorkerError, Phase};
use crate::job::attachments::settle_departed;
use crate::parent::background;
use crate::parent::timer::sleep;
use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicWaker, Mutex, MutexGuard, OnceLock, Ordering};
use crate::sys::child::{Child, Extent, Kill, Wait};
use crate::sys::fork::is_forked;
use crate::sys::lifeline::Cutter;
use crate::sys::process::ProcessHandle;
use crate::sys::reap::Reaped;
use futures_lite::future;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, atomic::AtomicU64};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub(crate) struct Process<P = ProcessHandle> {
    /// Unlike a process id, never reused.
    serial: u64,
    /// 0 until it is known.
    pid: AtomicU32,
    state: Mutex<ProcessState<P>>,
    /// The worker's phase. Not in the state, as each job writes it twice.
    phase: AtomicU8,
    /// Its end is recorded, and its context has been notified. Not in the state, as each job reads it.
    has_ended: AtomicBool,
    /// One task at a time waits for that: the holder of the `Worker`.
    waiter: AtomicWaker,
    diagnostics: OnceLock<ExitDiagnostics>,
    /// The worker, where the process is only its launcher.
    remote: Option<Arc<dyn RemoteWorker>>,
}

impl<P: Kill + Wait + Send + Sync + 'static> Process<P> {
    /// Takes over a child of ours: the background thread waits for its end from now on.
    pub(crate) fn adopt(child: Child<P>) -> Arc<Self> {
        Self::adopt_for(None, child)
    }

    /// The same for the launcher of a worker behind a command.
    pub(crate) fn adopt_for(remote: Option<Arc<dyn RemoteWorker>>, child: Child<P>) -> Arc<Self> {
        let process = Self::new(remote);
        process.wait_here();
        process.arrived(child);
        process
    }

    /// A process that a fork server starts, and whose end it will report.
    pub(crate) fn announced() -> Arc<Self> {
        Self::new(None)
    }

    fn new(remote: Option<Arc<dyn RemoteWorker>>) -> Arc<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            serial: LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            pid: AtomicU32::new(0),
            state: Mutex::new(ProcessState::new()),
            phase: AtomicU8::new(Phase::Start as u8),
            has_ended: AtomicBool::new(false),
            waiter: AtomicWaker::new(),
            diagnostics: OnceLock::new(),
            remote,
        })
    }

    /// `None` in a fork of the program: it does not own the worker, and a thread that is not in it may hold the lock.
    fn state(&self) -> Option<MutexGuard<'_, ProcessState<P>>> {
        (!is_forked()).then(|| self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The announced process has arrived.
    pub(crate) fn arrived(self: &Arc<Self>, child: Child<P>) {
        let child = Arc::new(child);
        let Some(mut state) = self.state() else { return };
        self.pid.store(child.pid(), Ordering::Relaxed);
        let duty = state.supervision.arrive(Arc::clone(&child));
        let (is_killed, extent) = (state.policy.is_killed(), state.extent);
        drop(state);
        // A kill came before; one that comes from now on sees the child.
        if is_killed {
            self.send_kill(&child, extent);
        }
        self.take_on(duty);
    }

    /// No fork server reports its end: the background thread waits for it, once its process id is known.
    pub(crate) fn wait_here(self: &Arc<Self>) {
        let Some(mut state) = self.state() else { return };
        let duty = state.supervision.lose_fork_server();
        drop(state);
        self.take_on(duty);
        self.wake();
    }

    fn take_on(self: &Arc<Self>, duty: Duty<P>) {
        /// How long a fork server may take to report how a process ended. A stopped one never does.
        const PATIENCE: Duration = Duration::from_secs(1);
        let process = Arc::clone(self);
        match duty {
            Duty::AsBefore => {}
            Duty::Reap(child) => background::spawn_background(async move {
                let reaped = child.wait(|| process.extent()).await;
                if let Some(remote) = &process.remote {
                    remote.launcher_has_ended();
                    poll_fn(|cx| remote.poll_over(cx)).await;
                }
                process.record_end(reaped);
            }),
            Duty::SeeEnd(child) => background::spawn_background(async move {
                child.ended().await;
                // Keeps nothing open meanwhile.
                let process = Arc::downgrade(&process);
                drop(child);
                sleep(PATIENCE).await;
                if let Some(process) = process.upgrade() {
                    process.record_end(None);
                }
            }),
        }
    }

    /// True if its process id is not known, and no fork server is left to report it.
    pub(crate) fn is_unannounced(&self) -> bool {
        self.state().is_some_and(|state| matches!(state.supervision, Supervision::Unannounced))
    }

    /// From here on, the processes that it has started are killed with it.
    pub(crate) fn set_kill_tree(&self) {
        if let Some(mut state) = self.state() {
            state.extent = Extent::Group;
        }
    }

    fn extent(&self) -> Extent {
        self.state().map_or(Extent::Process, |state| state.extent)
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// True once it is known which process it is.
    pub(crate) fn is_known(&self) -> bool {
        self.pid() != 0
    }

    /// The process, from its arrival until its end is recorded.
    pub(crate) fn child(&self) -> Option<Arc<Child<P>>> {
        self.state()?.supervision.child().cloned()
    }

    pub(crate) fn set_lifeline(&self, lifeline: Cutter) {
        if let Some(mut state) = self.state() {
            state.lifeline = Some(lifeline);
        }
    }

    pub(crate) fn set_diagnostics(&self, diagnostics: ExitDiagnostics) {
        let _ = self.diagnostics.set(diagnostics);
    }

    /// The worker has sent how much of its peak memory was the program's.
    pub(crate) fn set_inherited_memory(&self, bytes: u64) {
        if let Some(mut state) = self.state() {
            state.inherited_memory = bytes;
        }
    }

    /// The process has ended and been reaped; `None` if other code got its status.
    pub(crate) fn record_end(&self, reaped: Option<Reaped>) {
        let Some(state) = self.state() else { return };
        if state.supervision.exit().is_some() {
            return;
        }
        let (inherited_memory, is_killed) = (state.inherited_memory, state.policy.is_killed());
        drop(state);
        let mut exit = ExitInfo::now(reaped, inherited_memory);
        exit.remote = self.remote.as_ref().map(|remote| Box::new(remote.end()));
        if let Some(diagnostics) = self.diagnostics.get() {
            // Without the lock, as it reads files.
            diagnostics.complete(self.pid(), is_killed, &mut exit);
        }
        let Some(mut state) = self.state() else { return };
        if !state.supervision.end(exit) {
            return;
        }
        let notices = state.take_notices(self.pid(), self.phase());
        drop(state);
        settle_departed();
        notices.send();
        // Last, so that a thread which sees the end finds that the context was notified.
        self.has_ended.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// A panic of the waker must not stop what the caller does for others.
    fn wake(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.waiter.wake())).map_err(std::mem::forget);
    }

    /// Installs the hooks for the end.
    pub(crate) fn on_end(&self, ended: EndHook, exited: ExitHook) {
        let Some(mut state) = self.state() else { return };
        (state.end_hook, state.exit_hook) = (Some(ended), Some(exited));
        let notices = state.take_notices(self.pid(), self.phase());
        drop(state);
        notices.send();
    }

    /// The holder of the worker reports its exit, unless that was done.
    pub(crate) fn report_exit(&self, kind: ExitKind, report: Option<BrokenWorkerError>) {
        let hook = self.state().and_then(|mut state| state.exit_hook.take());
        if let Some(hook) = hook {
            hook(WorkerExit { pid: self.pid(), kind, report });
        }
    }

    /// How the process has ended, if its holder has to report it.
    pub(crate) fn unreported_exit(&self) -> Option<Arc<ExitInfo>> {
        let state = self.state()?;
        state.supervision.exit().filter(|_| state.exit_hook.is_some()).cloned()
    }

    /// The worker had not taken the current job. If the process has ended uncleanly by now, and its end was left for
    /// the job's call to report, this returns it.
    pub(crate) fn was_idle(&self) -> Option<BrokenWorkerError> {
        // Before the lock: either this sees the end, or the thread that records the end sees the phase.
        self.set_phase(Phase::Idle);
        self.unreported_end()
    }

    /// Its end, if the exit policy reports it and it was not reported yet.
    pub(crate) fn unreported_end(&self) -> Option<BrokenWorkerError> {
        self.state()?.take_report(self.pid(), self.phase())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Sends SIGKILL before this returns, or as soon as the process has arrived.
    pub(crate) fn kill_for(&self, reason: KillReason) {
        let Some(mut state) = self.state() else { return };
        if state.supervision.exit().is_some() {
            if reason == KillReason::AbortPanic {
                state.policy.kill(reason); // it was quicker
            }
            return;
        }
        state.policy.kill(reason);
        let (child, extent) = (state.supervision.child().cloned(), state.extent);
        drop(state);
        if let Some(child) = child {
            self.send_kill(&child, extent);
        }
    }

    /// Ends a worker that has answered with a panic and is about to abort, or has done so: its end is neither a crash
    /// nor reported. Call this before the phase in which the end of a worker is reported to its context.
    pub(crate) fn end_for_panic(&self) {
        self.kill_for(KillReason::AbortPanic);
        if self.unreported_exit().is_some() {
            self.report_exit(ExitKind::Retired, None);
        }
    }

    fn send_kill(&self, child: &Child<P>, extent: Extent) {
        if self.remote.as_ref().is_some_and(|remote| remote.kill()) {
            return;
        }
        if child.kill(extent).is_err() {
            if let Some(lifeline) = self.state().as_ref().and_then(|state| state.lifeline.as_ref()) {
                // This makes the kernel kill it: as the worker has asked for, and with the worker's own rights.
                lifeline.cut();
            }
        }
    }

    /// Sends SIGKILL to a process that its holder does not need any more. Its end is not reported.
    pub(crate) fn kill(&self) {
        self.kill_for(KillReason::Discarded);
    }

    /// True once it has ended by the kill of its context.
    pub(crate) fn was_killed_with_context(&self) -> bool {
        self.state().is_some_and(|state| state.supervision.exit().is_some_and(|exit| state.policy.is_by_context(exit)))
    }

    /// True once its end is recorded, and its context has been notified.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// True once it has ended, reaped or not.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().is_some_and(|state| match &state.supervision {
            Supervision::Announced | Supervision::Unannounced => false,
            Supervision::ByForkServer(child) | Supervision::Here(child) => child.has_ended(),
            Supervision::Ended(_) => true,
        })
    }

    /// True once it was asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.state().is_some_and(|state| state.is_leaving)
    }

    /// False if the parent has killed it before.
    pub(crate) fn set_leaving(&self) -> bool {
        let Some(mut state) = self.state() else { return true };
        state.is_leaving = true;
        !state.policy.is_killed()
    }

    /// Ready once the process is reaped, or no fork server is left to announce it.
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
        // The end may have come between the check and the registration.
        if self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the process, which `leaves`, is reaped; past the grace period it is killed, for
    /// `KillReason::Overdue`.
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
            self.kill_for(KillReason::Overdue);
            poll_fn(|cx| self.poll_end(cx)).await;
        }
    }

    /// Blocks until the process has ended, at most until the deadline. For the end of the program.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let Some(child) = self.child() else { return true };
        let ended = child.wait_until(deadline);
        // The background thread may not run any more. If it does, it finds nothing to reap.
        if ended && child.try_wait(self.extent()).is_err() {
            let _ = child.kill(self.extent());
        }
        ended
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::SeqCst))]
    }

    #[cfg(test)]
    pub(super) fn exit_status(&self) -> Option<std::process::ExitStatus> {
        self.state()?.supervision.exit()?.status
    }

    /// How it ended, or that it has not.
    pub(crate) fn error(&self) -> BrokenWorkerError {
        let (pid, phase) = (self.pid(), self.phase());
        match self.state() {
            Some(state) => state.report(pid, phase),
            None => ExitReport { pid, phase, by_us: false, exit: ExitInfo::default() }.into(),
        }
    }
}

impl<P> fmt::Debug for Process<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("serial", &self.serial).finish_non_exhaustive()
    }
}

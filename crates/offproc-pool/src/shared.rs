//! What the handles of a context, its calls and its workers share.

use crate::builder::WorkerContextBuilder;
use crate::clocks::{Clocks, Station};
use crate::lease::Lease;
use crate::limiter::Permit;
use crate::limits::Limits;
use crate::statistics::Statistics;
use event_listener::Event;
use offproc_core::{
    BrokenWorkerError, Error, Host, Launcher, Settings, Verdict, Worker, WorkerProcess, WorkerType, entrust,
};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a call waits for the verdict of a worker's `retire` function before it takes another worker.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a fork server has to leave in, at least: it is not what a short grace period is meant for.
const LAUNCHER_GRACE: Duration = Duration::from_secs(1);

/// One context.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) grace_period: Duration,
    pub(crate) worker_type: WorkerType,
    pub(crate) spare_workers: usize,
    /// What calls have that do not say otherwise.
    pub(crate) limits: Option<Limits>,
    pub(crate) host: Host,
    may_retire: bool,
    pub(crate) launcher: Box<dyn Launcher>,
    state: Mutex<State>,
    /// Notified when the context closes and, from then on, whenever a worker has ended or failed to start.
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    /// Last in, first out: the one used last has the warmest memory, and the others get to time out.
    idle: Vec<Worker>,
    running: usize,
    starting: usize,
    /// Every worker that has not been reaped, by its serial number.
    members: HashMap<u64, WorkerProcess>,
    closed: bool,
    /// Closed, and nothing left.
    over: bool,
    /// Jobs that nobody waits for any more.
    abandoned: usize,
    unclean: Option<BrokenWorkerError>,
    failed_starts: u32,
    next_start: Option<Instant>,
}

impl Shared {
    pub(crate) fn new(builder: WorkerContextBuilder) -> Arc<Self> {
        let shared = Arc::new(Self {
            host: builder.host(),
            launcher: builder.launcher(),
            may_retire: builder.settings.may_retire(),
            worker_type: builder.worker_type,
            spare_workers: builder.spare_workers,
            limits: builder.limits,
            settings: builder.settings,
            grace_period: builder.grace_period,
            state: Mutex::default(),
            changed: Event::new(),
        });
        crate::shutdown::register(&shared);
        shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker from the cache, if there is one that can take a job at once; otherwise the permit comes back.
    pub(crate) fn check_out_now(self: &Arc<Self>, permit: Permit) -> Result<Result<Lease, Permit>, Error> {
        may_call()?;
        if self.may_retire {
            return Ok(Err(permit));
        }
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        let Some(worker) = state.idle.pop() else { return Ok(Err(permit)) };
        state.running += 1;
        drop(state);
        self.top_up();
        Ok(Ok(Lease::new(Arc::clone(self), worker, permit)))
    }

    /// A worker for one job: from the cache, or a new one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future puts a cached worker back and ends one that was being started.
    pub(crate) async fn check_out(
        self: &Arc<Self>,
        mut permit: Permit,
        clocks: Option<&Clocks>,
    ) -> Result<Lease, Error> {
        let mut has_waited = false;
        loop {
            may_call()?;
            let cached = {
                let mut state = self.lock();
                if state.closed {
                    return Err(Error::Closed);
                }
                // The late ones are at the far end: where one comes up again, there are no others.
                let cached = state.idle.pop_if(|worker| !(has_waited && worker.is_late()));
                match cached {
                    Some(_) => state.running += 1,
                    None => state.starting += 1,
                }
                cached
            };
            let Some(worker) = cached else {
                return self.start_for(permit, clocks).await;
            };
            self.top_up();
            let mut lease = Lease::new(Arc::clone(self), worker, permit);
            match self.verdict(&mut lease).await {
                Some(Verdict::Stays) => return Ok(lease),
                Some(Verdict::Leaves) => permit = lease.let_go(),
                None => (permit, has_waited) = (lease.set_aside(), true),
            }
        }
    }

    /// A new worker for one job, whatever is in the cache.
    ///
    /// # Cancel safety
    ///
    /// As [`check_out`](Self::check_out).
    pub(crate) async fn check_out_new(
        self: &Arc<Self>,
        permit: Permit,
        clocks: Option<&Clocks>,
    ) -> Result<Lease, Error> {
        may_call()?;
        {
            let mut state = self.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            state.starting += 1;
        }
        self.start_for(permit, clocks).await
    }

    /// `starting` was counted up by the caller.
    async fn start_for(self: &Arc<Self>, permit: Permit, clocks: Option<&Clocks>) -> Result<Lease, Error> {
        let worker = self.start(clocks).await?;
        self.lock().running += 1;
        self.top_up();
        Ok(Lease::new(Arc::clone(self), worker, permit))
    }

    /// Whether a cached worker stays. `None` when its `retire` function takes too long over it.
    async fn verdict(&self, lease: &mut Lease) -> Option<Verdict> {
        if !self.may_retire {
            return Some(Verdict::Stays);
        }
        let worker = lease.worker();
        if worker.is_late() {
            return poll_fn(|cx| {
                std::task::Poll::Ready(match worker.poll_verdict(cx, &self.host) {
                    std::task::Poll::Ready(verdict) => Some(verdict),
                    std::task::Poll::Pending => None,
                })
            })
            .await;
        }
        let verdict = async { Some(poll_fn(|cx| worker.poll_verdict(cx, &self.host)).await) };
        let patience = async {
            self.host.sleep_really(PATIENCE).await;
            None
        };
        futures_lite::future::or(verdict, patience).await
    }

    /// Starts spare workers, where some are wanted and missing.
    fn top_up(self: &Arc<Self>) {
        if self.spare_workers == 0 {
            return;
        }
        let missing = {
            let mut state = self.lock();
            let there = state.idle.len() + state.starting;
            let missing = if state.closed { 0 } else { self.spare_workers.saturating_sub(there) };
            state.starting += missing;
            missing
        };
        for _ in 0..missing {
            let shared = Arc::clone(self);
            entrust(async move {
                // One that cannot be started is not tried for again until a call needs one, and gets the error.
                if let Ok(worker) = shared.start(None).await {
                    shared.lock().running += 1;
                    shared.check_in(worker);
                }
            });
        }
    }

    /// Starts a worker; `starting` was counted up by the caller.
    async fn start(self: &Arc<Self>, clocks: Option<&Clocks>) -> Result<Worker, Error> {
        let counted = Starting(self);
        let pause = self.lock().next_start.map(|next| next.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.host.sleep(pause).await;
        }
        if let Some(clocks) = clocks {
            clocks.enter(Station::Starting);
        }
        let started = Worker::start(&*self.launcher, &self.settings, &self.host).await;
        let mut state = self.lock();
        match started {
            Ok(worker) => {
                state.failed_starts = 0;
                state.next_start = None;
                state.members.insert(worker.serial(), worker.process());
                drop(state);
                let (context, serial) = (Arc::downgrade(self), worker.serial());
                worker.on_end(move |blame| Self::worker_ended(&context, serial, blame));
                drop(counted);
                Ok(worker)
            }
            Err(e) => {
                state.failed_starts += 1;
                // The first failure may be chance; from the second one on, each doubles the pause.
                let pause = Duration::from_millis(10 << state.failed_starts.saturating_sub(2).min(7));
                if state.failed_starts > 1 {
                    state.next_start = Some(Instant::now() + pause.min(Duration::from_secs(1)));
                }
                drop(state);
                Err(e)
            }
        }
    }

    /// Called by the keeper when a worker has been reaped.
    fn worker_ended(context: &Weak<Self>, serial: u64, mut blame: Option<BrokenWorkerError>) {
        let Some(shared) = context.upgrade() else { return };
        let mut state = shared.lock();
        state.members.remove(&serial);
        let dead = state.idle.iter().position(|worker| worker.serial() == serial);
        let mut dead = dead.map(|at| state.idle.remove(at));
        if let Some(worker) = &mut dead {
            // Its answer may have been looked at only after its end was recorded, and taken for the job's affair.
            blame = blame.or_else(|| worker.untold_end());
            if let Some(blame) = &mut blame {
                worker.correct_phase(blame);
            }
        }
        state.note(blame);
        drop(state);
        drop(dead);
        shared.changed.notify(usize::MAX);
    }

    /// Notes the unclean end of a worker that no caller is told of.
    pub(crate) fn note(&self, unclean: Option<BrokenWorkerError>) {
        self.lock().note(unclean);
    }

    /// A caller has gone and left its job under way.
    pub(crate) fn begin_abandoned(&self) {
        self.lock().abandoned += 1;
    }

    /// Its end is known and noted.
    pub(crate) fn end_abandoned(&self) {
        self.lock().abandoned -= 1;
        self.changed.notify(usize::MAX);
    }

    /// A worker comes back from a job; it goes to the cache, or on its way.
    pub(crate) fn check_in(self: &Arc<Self>, worker: Worker) {
        let mut state = self.lock();
        state.running -= 1;
        // One that has ended meanwhile is no member any more.
        let is_member = state.members.contains_key(&worker.serial());
        if !is_member {
            state.note(worker.untold_end());
        }
        let stays = !state.closed && !worker.is_spent() && is_member;
        if stays {
            state.idle.push(worker);
        } else {
            drop(state);
            self.dismiss(worker);
        }
    }

    /// A worker that cannot say yet whether it stays goes to the far end of the cache.
    pub(crate) fn check_in_last(self: &Arc<Self>, mut worker: Worker) {
        worker.set_late();
        let mut state = self.lock();
        state.running -= 1;
        if !state.closed && state.members.contains_key(&worker.serial()) {
            state.idle.insert(0, worker);
        } else {
            drop(state);
            self.dismiss(worker);
        }
    }

    /// A worker does not come back: it was killed, has died, or leaves.
    pub(crate) fn check_off(&self) {
        self.lock().running -= 1;
    }

    pub(crate) fn dismiss(self: &Arc<Self>, worker: Worker) {
        let context = Arc::clone(self);
        let grace = Host::fallback().sleep(self.grace_period);
        let leaving = worker.dismiss(grace);
        entrust(async move {
            leaving.await;
            drop(context);
        });
    }

    /// Closes for new calls and asks all idle workers to leave. Those with a job leave after it.
    pub(crate) fn begin_close(self: &Arc<Self>) {
        let idle = {
            let mut state = self.lock();
            if std::mem::replace(&mut state.closed, true) {
                return;
            }
            std::mem::take(&mut state.idle)
        };
        self.changed.notify(usize::MAX);
        for worker in idle {
            self.dismiss(worker);
        }
        let shared = Arc::clone(self);
        entrust(async move {
            // An abandoned job may have ended its worker, and not have told of it yet.
            shared.until(|state| state.members.is_empty() && state.starting == 0 && state.abandoned == 0).await;
            // After its workers: a fork server is who reaps them.
            let grace = shared.grace_period.max(LAUNCHER_GRACE);
            let unclean = shared.launcher.close(Host::fallback().sleep(grace)).await;
            let mut state = shared.lock();
            state.note(unclean);
            state.over = true;
            drop(state);
            shared.changed.notify(usize::MAX);
        });
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.listen();
            if is_so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until a closed context has nothing left.
    pub(crate) async fn wait_closed(&self) -> Result<(), BrokenWorkerError> {
        self.until(|state| state.over).await;
        self.lock().unclean.take().map_or(Ok(()), Err)
    }

    /// Ready once the context was closed a grace period ago.
    pub(crate) async fn overdue(&self) {
        self.until(|state| state.closed).await;
        Host::fallback().sleep(self.grace_period).await;
    }

    /// For the end of the program: every worker still there, those on loan killed, idle ones asked to leave.
    pub(crate) fn end(&self) -> (Vec<Worker>, Vec<WorkerProcess>) {
        let (mut idle, members) = {
            let mut state = self.lock();
            state.closed = true;
            (std::mem::take(&mut state.idle), state.members.values().cloned().collect::<Vec<_>>())
        };
        for worker in &mut idle {
            worker.hang_up();
        }
        // On loan: with a job, or to a call that nobody polls any more and that would never send it away.
        for member in members.iter().filter(|member| !member.is_leaving()) {
            member.kill();
        }
        (idle, members)
    }

    pub(crate) fn has_workers(&self) -> bool {
        let state = self.lock();
        !state.members.is_empty() || state.starting > 0
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.lock();
        Statistics { idle_workers: state.idle.len(), running_workers: state.running, starting_workers: state.starting }
    }
}

impl State {
    fn note(&mut self, unclean: Option<BrokenWorkerError>) {
        match (&mut self.unclean, unclean) {
            (Some(noted), Some(more)) => noted.merge(more),
            (noted @ None, more) => *noted = more,
            (Some(_), None) => {}
        }
    }
}

/// An error in a fork of the program: what is in the cache there belongs to the process it was forked from.
fn may_call() -> Result<(), Error> {
    if offproc_core::is_forked() {
        return Err(Error::Spawn(std::io::Error::other(
            "a fork of a process that has used offproc cannot have workers; start it anew with `exec`, or, if it is \
             itself a worker, use another `WorkerType`",
        )));
    }
    Ok(())
}

/// Counts a start, until it has succeeded, failed or been given up.
struct Starting<'a>(&'a Shared);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.lock().starting -= 1;
        self.0.changed.notify(usize::MAX);
    }
}

//! What the handles of a context, its calls and its workers share.

use crate::books::{Books, Closed, Entry};
use crate::builder::WorkerContextBuilder;
use crate::clocks::{Clocks, Station};
use crate::lease::Lease;
use crate::limiter::Permit;
use crate::limits::Limits;
use crate::statistics::Statistics;
use offproc_core::{
    BrokenWorkerError, Error, Host, Launcher, Settings, Verdict, Worker, WorkerProcess, WorkerType, entrust,
};
use std::future::poll_fn;
use std::sync::Arc;
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
    books: Books<Worker>,
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
            books: Books::new(),
        });
        crate::shutdown::register(&shared);
        shared
    }

    /// A worker from the cache, if there is one that can take a job at once; otherwise the permit comes back.
    pub(crate) fn check_out_now(self: &Arc<Self>, permit: Permit) -> Result<Result<Lease, Permit>, Error> {
        may_call()?;
        if self.may_retire {
            return Ok(Err(permit));
        }
        let Some(worker) = self.books.check_out()? else { return Ok(Err(permit)) };
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
            let Some(worker) = self.books.check_out_or_start(has_waited)? else {
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
        self.books.begin_start()?;
        self.start_for(permit, clocks).await
    }

    /// `starting` was counted up by the caller.
    async fn start_for(self: &Arc<Self>, permit: Permit, clocks: Option<&Clocks>) -> Result<Lease, Error> {
        let worker = self.start(&self.host, clocks).await?;
        self.books.begin_work();
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
        for _ in 0..self.books.begin_spares(self.spare_workers) {
            let shared = Arc::clone(self);
            entrust(async move {
                // By the keeper, where no runtime is current.
                // One that cannot be started is not tried for again until a call needs one, and gets the error.
                if let Ok(worker) = shared.start(&Host::fallback(), None).await {
                    shared.books.begin_work();
                    shared.check_in(worker);
                }
            });
        }
    }

    /// Starts a worker; `starting` was counted up by the caller.
    async fn start(self: &Arc<Self>, host: &Host, clocks: Option<&Clocks>) -> Result<Worker, Error> {
        let counted = Starting(&self.books);
        let pause = self.books.next_start().map(|next| next.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            host.sleep(pause).await;
        }
        if let Some(clocks) = clocks {
            clocks.enter(Station::Starting);
        }
        let started = Worker::start(&*self.launcher, &self.settings, host).await;
        match &started {
            Ok(worker) => {
                self.books.enter(worker);
                let (context, serial) = (Arc::downgrade(self), worker.serial());
                worker.on_end(move |unclean| {
                    if let Some(shared) = context.upgrade() {
                        shared.books.ended(serial, unclean);
                    }
                });
            }
            Err(_) => self.books.start_failed(),
        }
        drop(counted);
        started
    }

    /// Notes the unclean end of a worker that no caller is told of.
    pub(crate) fn note(&self, unclean: Option<BrokenWorkerError>) {
        self.books.note(unclean);
    }

    /// A caller has gone and left its job under way.
    pub(crate) fn begin_abandoned(&self) {
        self.books.begin_abandoned();
    }

    /// Its end is known and noted.
    pub(crate) fn end_abandoned(&self) {
        self.books.end_abandoned();
    }

    /// A worker comes back from a job; it goes to the cache, or on its way.
    pub(crate) fn check_in(self: &Arc<Self>, worker: Worker) {
        if let Some(worker) = self.books.check_in(worker) {
            self.dismiss(worker);
        }
    }

    /// A worker that cannot say yet whether it stays goes to the far end of the cache.
    pub(crate) fn check_in_last(self: &Arc<Self>, mut worker: Worker) {
        worker.set_late();
        if let Some(worker) = self.books.check_in_last(worker) {
            self.dismiss(worker);
        }
    }

    /// A worker does not come back: it was killed, has died, or leaves.
    pub(crate) fn check_off(&self) {
        self.books.check_off();
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
        let Some(idle) = self.books.close() else { return };
        for worker in idle {
            self.dismiss(worker);
        }
        let shared = Arc::clone(self);
        entrust(async move {
            shared.books.all_gone().await;
            // After its workers: a fork server is who reaps them.
            let grace = shared.grace_period.max(LAUNCHER_GRACE);
            let unclean = shared.launcher.close(Host::fallback().sleep(grace)).await;
            shared.books.finish(unclean);
        });
    }

    /// Waits until a closed context has nothing left.
    pub(crate) async fn wait_closed(&self) -> Result<(), BrokenWorkerError> {
        self.books.over().await.map_or(Ok(()), Err)
    }

    /// Ready once the context was closed a grace period ago.
    pub(crate) async fn overdue(&self) {
        self.books.closed().await;
        Host::fallback().sleep(self.grace_period).await;
    }

    /// For the end of the program: every worker still there, those on loan killed, idle ones asked to leave.
    pub(crate) fn end(&self) -> (Vec<Worker>, Vec<WorkerProcess>) {
        let (mut idle, members) = self.books.end();
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
        self.books.has_workers()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.books.statistics()
    }
}

impl Entry for Worker {
    type Process = WorkerProcess;
    type Unclean = BrokenWorkerError;

    fn serial(&self) -> u64 {
        self.serial()
    }

    fn process(&self) -> WorkerProcess {
        self.process()
    }

    fn is_spent(&self) -> bool {
        self.is_spent()
    }

    fn is_late(&self) -> bool {
        self.is_late()
    }

    fn untold_end(process: &WorkerProcess) -> Option<BrokenWorkerError> {
        process.untold_end()
    }

    fn correct(&mut self, unclean: &mut BrokenWorkerError) {
        self.correct_phase(unclean);
    }

    fn merge(noted: &mut BrokenWorkerError, more: BrokenWorkerError) {
        noted.merge(more);
    }
}

impl From<Closed> for Error {
    fn from(_: Closed) -> Self {
        Self::Closed
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
struct Starting<'a>(&'a Books<Worker>);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.end_start();
    }
}

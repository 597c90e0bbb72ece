//! The races of a context, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-pool --lib --release`.
//!
//! The ledger is the real one. Worker processes are not: they end as in `parent/process/supervised.rs` of
//! `offproc-core` (`tests/models/process` is the model of that). A close that does not end shows as loom's "deadlock",
//! a count below zero as an overflow.

mod fake;

use self::fake::{FakeEnd, Unclean, Worker};
use super::{AbandonedGuard, HasLedger, Lookup, PooledWorker, RunningGuard, StartGuard, WorkerLedger};
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{self, JoinHandle};

/// Explores with at most two preemptions (or `LOOM_MAX_PREEMPTIONS`), which keeps all models within some seconds.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(body);
}

/// As `ContextInner`.
#[derive(Debug)]
struct Context {
    ledger: WorkerLedger<Worker>,
    serials: AtomicUsize,
}

impl HasLedger for Context {
    type Worker = Worker;

    fn ledger(&self) -> &WorkerLedger<Worker> {
        &self.ledger
    }
}

/// A worker that is lent.
type Lent = (Worker, RunningGuard<Context>);

impl Context {
    /// With so many workers, all of them with a job.
    fn with<const WORKERS: usize>() -> (Arc<Self>, [Lent; WORKERS]) {
        let context = Arc::new(Self { ledger: WorkerLedger::new(), serials: AtomicUsize::new(0) });
        let workers = [(); WORKERS].map(|()| {
            let (worker, running) = context.start(WorkerLedger::begin_start(&context).unwrap());
            worker.post();
            (worker, running)
        });
        (context, workers)
    }

    /// A start that was counted, and succeeds.
    fn start(&self, starting: StartGuard<Self>) -> Lent {
        (self.started(), starting.into_running())
    }

    /// The same of a spare worker.
    fn start_for_cache(&self, mut starting: StartGuard<Self>) {
        if let Some(worker) = starting.check_in(self.started()) {
            self.dismiss(worker);
        }
    }

    fn started(&self) -> Worker {
        let serial = self.serials.fetch_add(1, Ordering::SeqCst);
        let worker = Worker::new(serial as u64);
        assert!(self.ledger.enter(&worker, serial), "the test does not kill the context");
        worker
    }

    /// A call from beginning to end, if it gets that far.
    fn call(context: &Arc<Self>) {
        let (worker, running) = match WorkerLedger::check_out(context, false) {
            Ok(Lookup::Hit(worker, running)) => (worker, running),
            Ok(Lookup::Miss(starting)) => context.start(starting),
            Err(_) => return,
        };
        worker.post();
        context.check_in((worker, running));
    }

    /// A worker of the cache, if there is one. A start is given up.
    fn take_cached(context: &Arc<Self>) -> Option<Lent> {
        match WorkerLedger::check_out(context, false).unwrap() {
            Lookup::Hit(worker, running) => Some((worker, running)),
            Lookup::Miss(_) => None,
        }
    }

    /// The caller sees the answer, and gives the worker back.
    fn check_in(&self, (worker, mut running): Lent) {
        worker.0.has_job.store(false, Ordering::SeqCst);
        if let Some(worker) = running.check_in(worker) {
            self.dismiss(worker);
        }
    }

    /// It leaves, unless it is about to end already.
    fn dismiss(&self, worker: Worker) {
        if !worker.0.ends.swap(true, Ordering::SeqCst) {
            worker.0.record_end(&self.ledger, FakeEnd::Clean);
        }
    }

    /// False when it was closed before.
    fn close(&self) -> bool {
        let Some(idle) = self.ledger.close() else { return false };
        for worker in idle {
            self.dismiss(worker);
        }
        block_on(self.ledger.all_gone());
        self.ledger.finish(None);
        true
    }

    /// The error of a closed context, of which nothing is left.
    fn over(&self) -> Option<Unclean> {
        let unclean = block_on(self.ledger.over());
        assert!(!self.ledger.has_workers());
        unclean
    }

    /// How many workers are in the cache, at work and starting.
    fn counts(&self) -> [usize; 3] {
        let statistics = self.ledger.statistics();
        [statistics.idle_workers, statistics.running_workers, statistics.starting_workers]
    }
}

impl Worker {
    /// It is about to die; the background thread sees that at any moment.
    fn dies(&self, context: &Arc<Context>) -> JoinHandle<()> {
        let process = self.process();
        process.ends.store(true, Ordering::SeqCst);
        spawn(context, move |context| process.record_end(&context.ledger, FakeEnd::Unclean))
    }
}

fn spawn<T: 'static>(context: &Arc<Context>, body: impl FnOnce(&Arc<Context>) -> T + 'static) -> JoinHandle<T> {
    let context = context.clone();
    thread::spawn(move || body(&context))
}

#[test]
fn a_death_between_answer_and_check_in_is_reported_once() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let dies = worker.0.dies(&context);
        context.check_in(worker);
        dies.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        context.close();
        assert_eq!(context.over(), Some(1));
        assert_eq!(context.over(), None);
    });
}

#[test]
fn a_death_between_answer_and_check_in_is_reported_by_a_closing_context() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let dies = worker.0.dies(&context);
        let closes = spawn(&context, |context| context.close());
        context.check_in(worker);
        dies.join().unwrap();
        closes.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        assert_eq!(context.over(), Some(1));
    });
}

/// A worker that dies in the cache is removed, or is with the one call that has taken it.
#[test]
fn a_death_in_the_cache_and_a_call_do_not_cross() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let process = worker.0.process();
        context.check_in(worker);
        let dies = Worker(process).dies(&context);
        if let Some(worker) = Context::take_cached(&context) {
            // The call is given up before it has posted its job.
            context.check_in(worker);
        }
        dies.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        assert!(Context::take_cached(&context).is_none());
        context.close();
        assert_eq!(context.over(), Some(1));
    });
}

/// The same for a worker that is returned to the back while it decides.
#[test]
fn a_death_and_a_setting_aside_do_not_cross() {
    explore(|| {
        let (context, [(worker, mut running)]) = Context::with();
        worker.0.has_job.store(false, Ordering::SeqCst);
        let dies = worker.dies(&context);
        if let Some(worker) = running.check_in_at_back(worker) {
            context.dismiss(worker);
        }
        dies.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        context.close();
        assert_eq!(context.over(), Some(1));
    });
}

#[test]
fn a_worker_is_lent_to_one_call() {
    explore(|| {
        let (context, [worker]) = Context::with();
        context.check_in(worker);
        let others = [(); 2].map(|()| spawn(&context, Context::call));
        Context::call(&context);
        for other in others {
            other.join().unwrap();
        }
        let [idle, running, starting] = context.counts();
        assert!((1..=3).contains(&idle));
        assert_eq!([running, starting], [0, 0]);
    });
}

#[test]
fn a_close_waits_for_a_call_wherever_that_is() {
    for in_cache in [false, true] {
        explore(move || {
            let (context, [worker]) = Context::with();
            if in_cache {
                context.check_in(worker);
            } else {
                let (worker, running) = worker;
                context.dismiss(worker);
                drop(running);
            }
            let calls = spawn(&context, Context::call);
            let closes = spawn(&context, |context| context.close());
            assert_eq!(context.over(), None);
            calls.join().unwrap();
            closes.join().unwrap();
            assert_eq!(context.counts(), [0, 0, 0]);
            assert!(WorkerLedger::check_out(&context, false).is_err());
        });
    }
}

#[test]
fn a_close_waits_for_starts_that_come_to_nothing() {
    explore(|| {
        let (context, []) = Context::with();
        let starts = spawn(&context, |context| {
            if let Ok(_starting) = WorkerLedger::begin_start(context) {
                context.ledger.start_failed();
                assert!(context.ledger.next_start().is_none(), "once may be chance");
            }
        });
        let spares = spawn(&context, |context| {
            for starting in WorkerLedger::begin_spares(context, 1, usize::MAX) {
                context.start_for_cache(starting);
            }
        });
        context.close();
        assert_eq!(context.over(), None);
        assert_eq!(context.counts(), [0, 0, 0]);
        starts.join().unwrap();
        spares.join().unwrap();
    });
}

#[test]
fn there_are_no_more_spares_than_wanted() {
    explore(|| {
        let (context, []) = Context::with();
        let other = spawn(&context, |context| WorkerLedger::begin_spares(context, 2, usize::MAX));
        let starting = WorkerLedger::begin_spares(&context, 2, usize::MAX);
        let others = other.join().unwrap();
        assert_eq!(starting.len() + others.len(), 2);
        assert_eq!(context.counts(), [0, 0, 2]);
    });
}

/// Its worker is gone before its end is noted.
#[test]
fn a_close_waits_for_an_abandoned_job_and_reports_it() {
    explore(|| {
        let (context, [(worker, running)]) = Context::with();
        let abandoned: AbandonedGuard<Context> = running.begin_abandoned();
        let dies = worker.dies(&context);
        let job = spawn(&context, move |context| {
            // As `Abandoned::finish_detached`, for a job that is overdue.
            block_on(context.ledger.closed());
            context.ledger.note(Some(1));
            drop(running);
            drop(abandoned);
            drop(worker);
        });
        context.close();
        assert_eq!(context.over(), Some(1));
        assert_eq!(context.counts(), [0, 0, 0]);
        dies.join().unwrap();
        job.join().unwrap();
    });
}

#[test]
fn two_closers_see_the_end_and_one_gets_the_error() {
    explore(|| {
        let (context, [worker]) = Context::with();
        context.check_in(worker);
        context.ledger.note(Some(1));
        context.ledger.note(Some(1));
        let other = spawn(&context, |context| (context.close(), context.over()));
        let (closed, reported) = (context.close(), context.over());
        let (other_closed, other_reported) = other.join().unwrap();
        assert_ne!(closed, other_closed);
        assert_eq!([reported, other_reported].into_iter().flatten().collect::<Vec<_>>(), [2]);
    });
}

/// At the end of the program each worker is known, and with one owner.
#[test]
fn the_end_of_the_program_and_a_check_in_do_not_cross() {
    explore(|| {
        let (context, [(worker, mut running)]) = Context::with();
        let back = spawn(&context, move |_| {
            worker.0.has_job.store(false, Ordering::SeqCst);
            running.check_in(worker).is_some()
        });
        let (idle, members) = context.ledger.end();
        assert_eq!(members.len(), 1);
        let is_sent_away = back.join().unwrap();
        assert_ne!(idle.len() == 1, is_sent_away);
        assert_eq!(context.counts(), [0, 0, 0]);
    });
}

/// Whatever panics with a guard in its hands, the background executor or a caller: its worker ends, as its drop kills
/// it, and nothing else is left to wait for.
#[test]
fn a_close_does_not_wait_for_what_has_panicked() {
    explore(|| {
        let (context, [(worker, running)]) = Context::with();
        let panics = spawn(&context, move |context| {
            let task = move || {
                let _starting = WorkerLedger::begin_start(context);
                let _abandoned = running.begin_abandoned();
                drop(running);
                context.dismiss(worker);
                std::panic::resume_unwind(Box::new(()));
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(task)).is_err());
        });
        context.close();
        assert_eq!(context.over(), None);
        panics.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
    });
}

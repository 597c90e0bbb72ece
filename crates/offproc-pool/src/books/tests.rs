//! The races of a context, in every interleaving up to a bound. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p offproc-pool --lib --release`.
//!
//! The books are the real ones. Worker processes are not: they end as `parent/process.rs` of `offproc-core` has it
//! (`tests/loom-process` is the model of that). A close that does not end shows as loom's "deadlock", a count below
//! zero as an overflow.

use super::{Books, Entry};
use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread::{self, JoinHandle};

/// Explores with at most two preemptions (or `LOOM_MAX_PREEMPTIONS`), which keeps all models within some seconds.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(body);
}

/// A worker, of which there is one.
#[derive(Debug)]
struct Worker(Arc<Process>);

#[derive(Debug, Default)]
struct Process {
    serial: u64,
    /// It is about to end.
    ends: AtomicBool,
    ended: Mutex<Option<End>>,
    reaped: AtomicBool,
    has_job: AtomicBool,
    blamed: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Unclean,
}

/// A number of unclean ends.
type Unclean = usize;

impl Process {
    fn blame(&self, end: End) -> Option<Unclean> {
        let is_to_blame = end == End::Unclean && !self.has_job.load(Ordering::SeqCst);
        (is_to_blame && !self.blamed.swap(true, Ordering::SeqCst)).then_some(1)
    }

    fn untold_end(&self) -> Option<Unclean> {
        let ended = *self.ended.lock().unwrap();
        ended.and_then(|end| self.blame(end))
    }

    /// The keeper has reaped it.
    fn record_end(&self, books: &Books<Worker>, end: End) {
        *self.ended.lock().unwrap() = Some(end);
        let unclean = self.blame(end);
        books.ended(self.serial, unclean);
        self.reaped.store(true, Ordering::SeqCst);
    }
}

impl Entry for Worker {
    type Process = Arc<Process>;
    type Unclean = Unclean;

    fn serial(&self) -> u64 {
        self.0.serial
    }

    fn process(&self) -> Arc<Process> {
        self.0.clone()
    }

    fn is_spent(&self) -> bool {
        self.0.reaped.load(Ordering::SeqCst)
    }

    fn is_late(&self) -> bool {
        false
    }

    fn untold_end(process: &Arc<Process>) -> Option<Unclean> {
        process.untold_end()
    }

    fn correct(&mut self, _: &mut Unclean) {}

    fn merge(noted: &mut Unclean, more: Unclean) {
        *noted += more;
    }
}

/// As `Shared`.
#[derive(Debug)]
struct Context {
    books: Books<Worker>,
    serials: AtomicUsize,
}

impl Context {
    /// With so many workers, all of them with a job.
    fn with<const WORKERS: usize>() -> (Arc<Self>, [Worker; WORKERS]) {
        let context = Arc::new(Self { books: Books::new(), serials: AtomicUsize::new(0) });
        let workers = [(); WORKERS].map(|()| {
            context.books.begin_start().unwrap();
            let worker = context.start();
            worker.post();
            worker
        });
        (context, workers)
    }

    /// A start that was counted, and succeeds.
    fn start(&self) -> Worker {
        let serial = self.serials.fetch_add(1, Ordering::SeqCst) as u64;
        let worker = Worker(Arc::new(Process { serial, ..Process::default() }));
        self.books.enter(&worker);
        self.books.end_start();
        self.books.begin_work();
        worker
    }

    /// A call from beginning to end, if it gets that far.
    fn call(&self) {
        if let Ok(worker) = self.books.check_out_or_start(false) {
            let worker = worker.unwrap_or_else(|| self.start());
            worker.post();
            self.check_in(worker);
        }
    }

    /// The caller sees the answer, and gives the worker back.
    fn check_in(&self, worker: Worker) {
        worker.0.has_job.store(false, Ordering::SeqCst);
        if let Some(worker) = self.books.check_in(worker) {
            self.dismiss(worker);
        }
    }

    /// It leaves, unless it is about to end already.
    fn dismiss(&self, worker: Worker) {
        if !worker.0.ends.swap(true, Ordering::SeqCst) {
            worker.0.record_end(&self.books, End::Clean);
        }
    }

    /// False when it was closed before.
    fn close(&self) -> bool {
        let Some(idle) = self.books.close() else { return false };
        for worker in idle {
            self.dismiss(worker);
        }
        block_on(self.books.all_gone());
        self.books.finish(None);
        true
    }

    /// What a closed context has to tell; nothing of it is left.
    fn over(&self) -> Option<Unclean> {
        let unclean = block_on(self.books.over());
        assert!(!self.books.has_workers());
        unclean
    }

    /// How many workers are in the cache, at work and starting.
    fn counts(&self) -> [usize; 3] {
        let statistics = self.books.statistics();
        [statistics.idle_workers, statistics.running_workers, statistics.starting_workers]
    }
}

impl Worker {
    fn post(&self) {
        assert!(!self.0.has_job.swap(true, Ordering::SeqCst), "it has another's job");
    }

    /// It is about to die; the keeper sees that at any moment.
    fn dies(&self, context: &Arc<Context>) -> JoinHandle<()> {
        let process = self.process();
        process.ends.store(true, Ordering::SeqCst);
        spawn(context, move |context| process.record_end(&context.books, End::Unclean))
    }
}

fn spawn<T: 'static>(context: &Arc<Context>, body: impl FnOnce(&Context) -> T + 'static) -> JoinHandle<T> {
    let context = context.clone();
    thread::spawn(move || body(&context))
}

#[test]
fn a_death_between_answer_and_check_in_is_told_once() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let dies = worker.dies(&context);
        context.check_in(worker);
        dies.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        context.close();
        assert_eq!(context.over(), Some(1));
        assert_eq!(context.over(), None);
    });
}

#[test]
fn a_death_between_answer_and_check_in_is_told_by_a_closing_context() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let dies = worker.dies(&context);
        let closes = spawn(&context, Context::close);
        context.check_in(worker);
        dies.join().unwrap();
        closes.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        assert_eq!(context.over(), Some(1));
    });
}

/// A worker that dies in the cache is there no more, or with the one call that has taken it.
#[test]
fn a_death_in_the_cache_and_a_call_do_not_cross() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let process = worker.process();
        context.check_in(worker);
        let dies = Worker(process).dies(&context);
        if let Some(worker) = context.books.check_out().unwrap() {
            // The call is given up before it has posted its job.
            context.check_in(worker);
        }
        dies.join().unwrap();
        assert_eq!(context.counts(), [0, 0, 0]);
        assert!(context.books.check_out().unwrap().is_none());
        context.close();
        assert_eq!(context.over(), Some(1));
    });
}

/// The same, of one that is set aside while it makes up its mind.
#[test]
fn a_death_and_a_setting_aside_do_not_cross() {
    explore(|| {
        let (context, [worker]) = Context::with();
        worker.0.has_job.store(false, Ordering::SeqCst);
        let dies = worker.dies(&context);
        if let Some(worker) = context.books.check_in_last(worker) {
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
        context.call();
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
                context.dismiss(worker);
                context.books.check_off();
            }
            let calls = spawn(&context, Context::call);
            let closes = spawn(&context, Context::close);
            assert_eq!(context.over(), None);
            calls.join().unwrap();
            closes.join().unwrap();
            assert_eq!(context.counts(), [0, 0, 0]);
            assert!(context.books.check_out().is_err());
        });
    }
}

#[test]
fn a_close_waits_for_starts_that_come_to_nothing() {
    explore(|| {
        let (context, []) = Context::with();
        let starts = spawn(&context, |context| {
            if context.books.begin_start().is_ok() {
                context.books.start_failed();
                assert!(context.books.next_start().is_none(), "once may be chance");
                context.books.end_start();
            }
        });
        let spares = spawn(&context, |context| {
            for _ in 0..context.books.begin_spares(1) {
                context.check_in(context.start());
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
        let other = spawn(&context, |context| context.books.begin_spares(2));
        let missing = context.books.begin_spares(2);
        assert_eq!(missing + other.join().unwrap(), 2);
        assert_eq!(context.counts(), [0, 0, 2]);
    });
}

/// Its worker is gone before its end is noted.
#[test]
fn a_close_waits_for_an_abandoned_job_and_tells_of_it() {
    explore(|| {
        let (context, [worker]) = Context::with();
        context.books.begin_abandoned();
        let dies = worker.dies(&context);
        let job = spawn(&context, move |context| {
            // As `Loan::see_through` and `end_broken`, for a job that is overdue.
            block_on(context.books.closed());
            context.books.note(Some(1));
            context.books.check_off();
            context.books.end_abandoned();
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
fn two_who_close_see_the_end_and_one_is_told() {
    explore(|| {
        let (context, [worker]) = Context::with();
        context.check_in(worker);
        context.books.note(Some(1));
        context.books.note(Some(1));
        let other = spawn(&context, |context| (context.close(), context.over()));
        let (closed, told) = (context.close(), context.over());
        let (other_closed, other_told) = other.join().unwrap();
        assert_ne!(closed, other_closed);
        assert_eq!([told, other_told].into_iter().flatten().collect::<Vec<_>>(), [2]);
    });
}

/// At the end of the program each worker is known, and with one owner.
#[test]
fn the_end_of_the_program_and_a_check_in_do_not_cross() {
    explore(|| {
        let (context, [worker]) = Context::with();
        let back = spawn(&context, move |context| {
            worker.0.has_job.store(false, Ordering::SeqCst);
            context.books.check_in(worker).is_some()
        });
        let (idle, members) = context.books.end();
        assert_eq!(members.len(), 1);
        let is_sent_away = back.join().unwrap();
        assert_ne!(idle.len() == 1, is_sent_away);
        assert_eq!(context.counts(), [0, 0, 0]);
    });
}

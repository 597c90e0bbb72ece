//! `.retry_crashes(n)`: a job whose worker dies runs again on another one; without it, no job runs again.

use futures::poll;
use offproc::{Error, Fd, Limiter, SharedBytes, Transport, WorkerContext};
use offproc_tests::process::has_ended;
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, hostile, isolated, job, matrix};
use serde::{Deserialize, Serialize, Serializer, ser};
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

matrix!(
    run_the_job_on_another_worker,
    are_none_by_default,
    end_with_the_last_crash,
    serialise_the_argument_once,
    send_descriptors_and_buffers_again,
    end_with_the_crash_where_the_argument_goes_only_once,
    are_for_no_other_error,
    are_not_for_a_worker_that_offproc_kills,
    keep_the_token,
    run_nothing_in_a_closed_context,
    are_over_when_the_context_is_killed,
    run_no_abandoned_job,
    can_be_dropped_with_the_job,
);

isolated!(begin_no_run_after_the_deadline);

/// Leaves a trace, and crashes in the first runs.
fn crash((path, crashes): (String, usize)) -> u32 {
    append(&path, &format!("{}\n", std::process::id()));
    if trace(&path).lines().count() <= crashes {
        job::end_at_once(1);
    }
    std::process::id()
}

async fn run_the_job_on_another_worker(case: Case) {
    let scratch = Scratch::new();
    let context = case.context();
    for crashes in 0..3 {
        let path = scratch.path(&crashes.to_string());
        let pid = context.run_sync(crash, (path.clone(), crashes)).retry_crashes(2).await.unwrap();
        let pids: Vec<u32> = trace(&path).lines().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!((pids.len(), pids.last()), (crashes + 1, Some(&pid)));
        let others: std::collections::HashSet<_> = pids.iter().collect();
        assert_eq!(others.len(), pids.len(), "{pids:?}");
    }
    let statistics = context.statistics();
    assert_eq!((statistics.calls, statistics.running_workers), (3, 0));
    context.close().await.unwrap();
    assert_eq!(context.statistics().crashed, 3);
}

async fn are_none_by_default(case: Case) {
    let scratch = Scratch::new();
    let context = case.context();
    for set in [false, true] {
        let path = scratch.path(&set.to_string());
        let call = context.run_sync(crash, (path.clone(), 1));
        let call = if set { call.retry_crashes(2).retry_crashes(0) } else { call };
        assert!(call.await.unwrap_err().is_crash());
        assert_eq!(trace(&path).lines().count(), 1);
    }
    context.close().await.unwrap();
}

async fn end_with_the_last_crash(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let limiter = Limiter::new(1);
    let call = context.run_sync(crash, (path.clone(), usize::MAX)).limiter(&limiter).retry_crashes(3);
    let Err(Error::BrokenWorker(death)) = call.await else { panic!("it always crashes") };
    let trace = trace(&path);
    assert_eq!((trace.lines().count(), trace.lines().last()), (4, Some(death.pid().to_string().as_str())));
    assert_eq!(limiter.borrowed_tokens(), 0);
    // What kills the worker from outside is a crash, too.
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let mut call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).retry_crashes(1).kill_on_cancel(true);
    let first = drive_until(&mut call, arrivals.next()).await;
    offproc_tests::process::kill(first);
    let second = drive_until(&mut call, arrivals.next()).await;
    assert_ne!(first, second);
    drop(call);
    context.close().await.unwrap();
}

static SERIALISED: AtomicU32 = AtomicU32::new(0);

/// It is not `Clone`.
#[derive(Deserialize)]
struct Counted(String);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SERIALISED.fetch_add(1, Ordering::Relaxed);
        self.0.serialize(serializer)
    }
}

async fn serialise_the_argument_once(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    // Large enough to be on its way for a while, in pieces.
    let argument = (Counted("x".repeat(1 << 20)), path, 2);
    let run = |(counted, path, crashes): (Counted, String, usize)| (crash((path, crashes)), counted.0.len());
    let (_, length) = context.run_sync(run, argument).retry_crashes(2).await.unwrap();
    assert_eq!((length, SERIALISED.load(Ordering::Relaxed)), (1 << 20, 1));
    context.close().await.unwrap();
}

async fn send_descriptors_and_buffers_again(case: Case) {
    let scratch = Scratch::new();
    let (path, file) = (scratch.path("trace"), scratch.path("file"));
    append(&file, "abc");
    let context = case.context();
    let read = |(file, bytes, path): (Fd<File>, SharedBytes, String)| {
        let mut letter = [0];
        (&file.0).read_exact(&mut letter).unwrap();
        crash((path, 2));
        (letter[0], bytes.len(), bytes[bytes.len() - 1])
    };
    let mut bytes = vec![0; 100_000];
    bytes[99_999] = 7;
    let argument = (Fd(File::open(&file).unwrap()), SharedBytes::copy_from_slice(&bytes).unwrap(), path);
    // One open file: each job goes on where the one before it was.
    assert_eq!(context.run_sync(read, argument).retry_crashes(2).await.unwrap(), (b'c', 100_000, 7));
    context.close().await.unwrap();
}

/// With a descriptor, so its bytes are not kept; and it refuses to be serialised a second time.
#[derive(Deserialize)]
struct Once(Fd<File>, #[serde(skip)] AtomicU32);

impl Serialize for Once {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1.fetch_add(1, Ordering::Relaxed) {
            0 => serializer.serialize_newtype_struct("Once", &self.0),
            _ => Err(ser::Error::custom("it has been sent")),
        }
    }
}

async fn end_with_the_crash_where_the_argument_goes_only_once(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let once = Once(Fd(File::open("/dev/null").unwrap()), AtomicU32::new(0));
    let call = context.run_sync(|(_, path): (Once, String)| crash((path, 1)), (once, path.clone())).retry_crashes(2);
    let error = call.await.unwrap_err();
    assert!(error.is_crash(), "{error}");
    assert_eq!(trace(&path).lines().count(), 1);
    // The worker that was to run it is as good as before.
    assert_eq!(context.statistics().idle_workers, 1);
    context.close().await.unwrap();
}

async fn are_for_no_other_error(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let panics = |path: String| -> () {
        append(&path, "x");
        panic!("a bug");
    };
    assert!(context.run_sync(panics, path.clone()).retry_crashes(2).await.unwrap_err().is_panic());
    let spins = |path: String| -> () {
        append(&path, "x");
        job::spin()
    };
    let call = context.run_sync(spins, path.clone()).retry_crashes(2).time_limit(Duration::from_millis(50));
    assert!(matches!(call.await, Err(Error::TimedOut)));
    let call = context.run_sync(spins, path.clone()).retry_crashes(2).cpu_limit(Duration::from_millis(50));
    assert!(matches!(call.await, Err(Error::CpuTimeExceeded { .. })));
    assert_eq!(trace(&path), "xxx");
    context.close().await.unwrap();
}

/// For what it says on its connection: the next one would say the same.
async fn are_not_for_a_worker_that_offproc_kills(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.builder().transport(Transport::Stream).open().unwrap();
    let talks_nonsense = |path: String| -> () {
        append(&path, "x");
        hostile::say(&[0xff; 64], &[]);
        hostile::stay()
    };
    let Err(Error::BrokenWorker(death)) = context.run_sync(talks_nonsense, path.clone()).retry_crashes(2).await else {
        panic!("it has no result");
    };
    assert_eq!((death.killed(), trace(&path).as_str()), (1, "x"));
    context.close().await.unwrap();
}

async fn keep_the_token(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let limiter = Limiter::new(1);
    let first = context.run_sync(crash, (path.clone(), 2)).limiter(&limiter).retry_crashes(2);
    let append_last = |path: String| append(&path, "last\n");
    let second = context.run_sync(append_last, path.clone()).limiter(&limiter);
    let (first, second) = futures::join!(first, second);
    first.unwrap();
    second.unwrap();
    let trace = trace(&path);
    assert_eq!((trace.lines().count(), trace.lines().last()), (4, Some("last")));
    context.close().await.unwrap();
}

/// Arrives, and crashes once it may.
fn arrive_and_crash((ticket, gate): (String, String)) {
    arrive(&ticket);
    if pass(&gate) {
        job::end_at_once(1);
    }
}

async fn run_nothing_in_a_closed_context(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let mut call = context.run_sync(arrive_and_crash, (arrivals.ticket(), gate.ticket())).retry_crashes(9);
    drive_until(&mut call, arrivals.next()).await;
    let mut close = std::pin::pin!(context.close());
    assert!(poll!(close.as_mut()).is_pending());
    gate.admit_one();
    let error = call.await.unwrap_err();
    assert!(error.is_crash(), "{error}");
    close.await.unwrap();
    assert_eq!(arrivals.try_next(), None);
}

async fn are_over_when_the_context_is_killed(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let mut call = context.run_sync(job::arrive_and_spin, arrivals.ticket()).retry_crashes(9);
    drive_until(&mut call, arrivals.next()).await;
    context.kill();
    assert!(matches!(call.await, Err(Error::Closed)));
    assert_eq!(arrivals.try_next(), None);
    let _ = context.close().await;
}

async fn run_no_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let mut call = context.run_sync(arrive_and_crash, (arrivals.ticket(), gate.ticket())).retry_crashes(9);
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    until("the abandoned job is over", || context.statistics().abandoned_jobs == 0).await;
    assert_eq!(context.close().await.unwrap_err().count(), 1);
    assert_eq!(arrivals.try_next(), None);
}

async fn can_be_dropped_with_the_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let limiter = Limiter::new(1);
    // In the first run, between the runs, and in the second.
    for moment in 0..3 {
        let argument = (arrivals.ticket(), gate.ticket());
        let call = context.run_sync(arrive_and_crash, argument).limiter(&limiter);
        let mut call = call.retry_crashes(1).kill_on_cancel(true);
        drive_until(&mut call, arrivals.next()).await;
        match moment {
            0 => {}
            1 => {
                gate.admit_one();
                let is_on_its_way = || context.statistics().starting_workers == 1 || arrivals.try_next().is_some();
                drive_until(&mut call, until("another worker starts", is_on_its_way)).await;
            }
            _ => {
                gate.admit_one();
                drive_until(&mut call, arrivals.next()).await;
            }
        }
        drop(call);
        assert_eq!(limiter.borrowed_tokens(), 0);
    }
    context.close().await.unwrap();
}

/// The poll that finds the crash comes after the deadline.
fn begin_no_run_after_the_deadline() {
    let scratch = Scratch::new();
    let (arrivals, path) = (Arrivals::new(&scratch, "arrivals"), scratch.path("trace"));
    let gate = Gate::new(&scratch, "gate");
    let waits_and_crashes = |(path, ticket, gate): (String, String, String)| -> () {
        append(&path, "x");
        arrive(&ticket);
        assert!(pass(&gate));
        job::end_at_once(1)
    };
    futures::executor::block_on(async {
        let context = WorkerContext::builder().open().unwrap();
        let deadline = Instant::now() + Duration::from_secs(3);
        let argument = (path.clone(), arrivals.ticket(), gate.ticket());
        let mut call = context.run_sync(waits_and_crashes, argument).retry_crashes(2).deadline(deadline);
        let pid = drive_until(&mut call, arrivals.next()).await;
        gate.admit_one();
        until("the worker has ended, and the time is over", || has_ended(pid) && Instant::now() > deadline).await;
        let error = call.await.unwrap_err();
        assert!(error.is_crash() || error.is_timeout(), "{error:?}");
        assert_eq!(trace(&path), "x");
        context.close().await.unwrap();
    });
}

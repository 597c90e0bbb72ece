//! `.wait()` blocks the calling thread, and needs no runtime to run meanwhile: inside any, on its only thread, pinned
//! or not, in a job, and on a call that was polled before.

use futures::poll;
use offproc::runtimes::Tokio;
use offproc::{Error, Limiter, Transport, WorkerContext, run_sync};
use offproc_tests::process::{Family, has_ended};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, isolated, job, matrix};
use std::thread;
use std::time::Duration;

matrix!(
    gives_the_result_on_a_runtimes_thread,
    holds_the_time_limit,
    goes_on_with_a_job_that_runs,
    goes_on_with_a_start_under_way,
    goes_on_with_the_wait_for_a_token,
    is_there_for_tokens_and_closing,
);
matrix!(except fork: works_in_a_job);

isolated!(
    needs_no_runtime,
    does_not_use_a_pinned_runtime,
    many_at_once,
    wakes_no_other_thread,
    blocks_in_what_it_polls,
    lives_with_a_limit_of_no_descriptors,
);

async fn gives_the_result_on_a_runtimes_thread(case: Case) {
    let context = case.context();
    // The first starts a worker, the second finds it, the third waits for longer than the caller spins.
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    assert_eq!(context.run_sync(|n: u32| n + 1, 2).wait().unwrap(), 3);
    let slow = |n: u32| {
        thread::sleep(Duration::from_millis(30));
        n + 1
    };
    assert_eq!(context.run_sync(slow, 3).wait().unwrap(), 4);
    let (result, times) = context.run_sync(slow, 4).timed().wait();
    assert_eq!(result.unwrap(), 5);
    assert!(times.running >= Duration::from_millis(30), "{times:?}");
    // And awaited again afterwards.
    assert_eq!(context.run_sync(slow, 5).await.unwrap(), 6);
    context.close().await.unwrap();
}

async fn holds_the_time_limit(case: Case) {
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).wait().unwrap();
    let late = context.run_sync(|()| -> () { job::sleep() }, ()).time_limit(Duration::from_millis(30)).wait();
    assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
    context.close().wait().unwrap();
    assert!(has_ended(pid));
}

async fn goes_on_with_a_job_that_runs(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.context();
    let mut call = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone()));
    // It is registered with the runtime that polls here, which does not run from then on.
    drive_until(&mut call, arrivals.next()).await;
    let opened = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        gate.admit_one();
        gate
    });
    call.wait().unwrap();
    assert_eq!(trace(&path), "done\n");
    drop(opened.join());
    context.close().await.unwrap();
}

async fn goes_on_with_a_start_under_way(case: Case) {
    let context = case.builder().init(|| thread::sleep(Duration::from_millis(50))).open().unwrap();
    let mut call = context.run_sync(|n: u32| n + 1, 1).time_limit(Duration::from_secs(60));
    assert!(poll!(&mut call).is_pending());
    assert_eq!(call.wait().unwrap(), 2);
    // The same, in a pause after failing starts.
    let failing = case.builder().init(|| panic!("not today")).open().unwrap();
    for _ in 0..3 {
        failing.run_sync(|()| (), ()).await.unwrap_err();
    }
    let mut call = failing.run_sync(|()| (), ());
    assert!(poll!(&mut call).is_pending());
    assert!(matches!(call.wait(), Err(Error::Panicked(_))));
    context.close().await.unwrap();
}

async fn goes_on_with_the_wait_for_a_token(case: Case) {
    let (context, limiter) = (case.context(), Limiter::new(1));
    let permit = limiter.acquire().await;
    let mut call = context.run_sync(|n: u32| n + 1, 1).limiter(&limiter);
    assert!(poll!(&mut call).is_pending());
    let given_back = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        drop(permit);
    });
    assert_eq!(call.wait().unwrap(), 2);
    given_back.join().unwrap();
    assert_eq!(limiter.borrowed_tokens(), 0);
    context.close().await.unwrap();
}

async fn is_there_for_tokens_and_closing(case: Case) {
    let (context, limiter) = (case.context(), Limiter::new(1));
    let permit = limiter.acquire().wait();
    let given_back = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        drop(permit);
    });
    drop(limiter.acquire().wait());
    given_back.join().unwrap();
    context.run_sync(job::pid, ()).wait().unwrap();
    let mut closing = context.close();
    let _ = poll!(&mut closing);
    context.close().wait().unwrap();
    assert!(Family::now().is_empty());
    assert!(matches!(context.run_sync(|()| (), ()).wait(), Err(Error::Closed)));
}

async fn works_in_a_job(case: Case) {
    let context = case.context();
    let nested = |n: u32| run_sync(|n: u32| n + 1, n).wait().map_err(|e| e.to_string());
    assert_eq!(context.run_sync(nested, 1).await.unwrap().unwrap(), 2);
    // In a runtime of the job's own, too.
    let in_a_runtime = |n: u32| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { run_sync(|n: u32| n + 1, n).wait().map_err(|e| e.to_string()) })
    };
    assert_eq!(context.run_sync(in_a_runtime, 2).wait().unwrap().unwrap(), 3);
    context.close().await.unwrap();
}

fn needs_no_runtime() {
    let context = WorkerContext::builder().open().unwrap();
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
}

fn does_not_use_a_pinned_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pinned = |runtime: &tokio::runtime::Runtime| {
        WorkerContext::builder().runtime(Tokio::from(runtime.handle().clone())).open().unwrap()
    };
    let context = pinned(&runtime);
    let slow = |n: u32| {
        thread::sleep(Duration::from_millis(20));
        n + 1
    };
    // It does not run at all, it runs this very code, and it has ended.
    assert_eq!(context.run_sync(slow, 1).time_limit(Duration::from_secs(60)).wait().unwrap(), 2);
    runtime.block_on(async {
        assert_eq!(context.run_sync(slow, 2).time_limit(Duration::from_secs(60)).wait().unwrap(), 3);
    });
    drop(runtime);
    assert_eq!(context.run_sync(slow, 3).time_limit(Duration::from_secs(60)).wait().unwrap(), 4);
    context.close().wait().unwrap();
}

fn many_at_once() {
    let context = WorkerContext::builder().open().unwrap();
    thread::scope(|scope| {
        for n in 0..8_u32 {
            let context = &context;
            scope.spawn(move || {
                for i in 0..200 {
                    assert_eq!(context.run_sync(|n: u32| n + 1, n + i).wait().unwrap(), n + i + 1);
                }
            });
        }
    });
    context.close().wait().unwrap();
}

/// How often the other threads of this process have begun to sleep.
fn sleeps_of_others() -> u64 {
    let own = rustix::thread::gettid().as_raw_nonzero().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap());
    let others = tasks.filter(|task| task.file_name() != *own);
    let status = others.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let count = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    status.map(count).sum()
}

fn slow(n: u32) -> u32 {
    thread::sleep(Duration::from_millis(2));
    n + 1
}

/// The answer wakes the thread that waits for it, and not a reactor's before that.
fn wakes_no_other_thread() {
    const CALLS: u32 = 100;
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let context = WorkerContext::builder().transport(transport).open().unwrap();
        assert_eq!(context.run_sync(slow, 0).wait().unwrap(), 1);
        let before = sleeps_of_others();
        for n in 0..CALLS {
            assert_eq!(context.run_sync(slow, n).wait().unwrap(), n + 1);
        }
        let slept = sleeps_of_others() - before;
        assert!(slept < u64::from(CALLS) / 2, "{slept}");
        context.close().wait().unwrap();
    }
}

/// Foreign code that a `wait` polls may block its thread by another executor.
fn blocks_in_what_it_polls() {
    // The map may have all the tokens of its own.
    let (context, other) = (WorkerContext::builder().open().unwrap(), WorkerContext::builder().max_concurrency(1));
    let other = other.open().unwrap();
    let items = (0..4).map(|n| futures::executor::block_on(other.run_sync(slow, n)).unwrap());
    let results: Result<Vec<u32>, Error> = context.map(slow, items).wait().collect();
    assert_eq!(results.unwrap(), [2, 3, 4, 5]);
    context.close().wait().unwrap();
    other.close().wait().unwrap();
}

fn lives_with_a_limit_of_no_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let context = WorkerContext::builder().open().unwrap();
    assert_eq!(context.run_sync(slow, 0).wait().unwrap(), 1);
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let cached: Vec<_> = (1..4).map(|n| context.run_sync(slow, n).wait()).collect();
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(cached.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 3, 4]);
    context.close().wait().unwrap();
}

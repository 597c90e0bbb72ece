//! A deadline, and a timeout, hold wherever a call is, and leave nothing of it behind.

use futures::future::join_all;
use futures::poll;
use offproc::{Error, Limiter, RunSync, Station, WorkerContext};
use offproc_tests::process::{is_stopped, must_end};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{blocking_until, drive_until, until};
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::{Duration, Instant};

matrix!(
    kills_a_job_that_runs,
    gives_up_the_start_of_a_worker,
    gives_up_the_place_in_the_queue,
    that_has_passed_starts_nothing,
    that_is_far_changes_nothing,
    holds_for_an_abandoned_job,
    together_with_a_time_limit_is_the_earlier_one,
    near_the_end_of_a_job_leaves_nothing_behind,
);

isolated!(
    holds_for_the_blocking_form,
    holds_for_thousands_in_a_queue,
    counts_a_timeout_from_the_first_poll,
    cannot_be_set_after_the_first_poll,
    and_a_later_one_is_one,
    does_not_count_what_the_program_is_stopped_for,
);

/// Long for a job that does nothing, even on a busy machine.
const LONG: Duration = Duration::from_millis(600);
const SHORT: Duration = Duration::from_millis(100);

fn endless(context: &WorkerContext) -> RunSync<(), ()> {
    context.run_sync(|()| -> () { job::spin() }, ())
}

type Within<A, R> = fn(RunSync<A, R>, Duration) -> RunSync<A, R>;

/// The two ways to set how long a call may take from now on.
fn ways<A, R>() -> [Within<A, R>; 2] {
    [RunSync::timeout, |call, time| call.deadline(Instant::now() + time)]
}

#[track_caller]
fn assert_station<R: std::fmt::Debug>(result: Result<R, Error>, station: Station) {
    let error = result.expect_err("it has no end");
    assert!(matches!(&error, Error::DeadlineExceeded(at) if *at == station), "{error:?}, not {station}");
    assert!(error.is_timeout() && error.station() == Some(station));
}

/// Although its call has no `kill_on_cancel`.
async fn kills_a_job_that_runs(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let (context, one) = (case.context(), Limiter::new(1));
    for within in ways() {
        context.run_sync(|()| (), ()).await.unwrap();
        let mut call = within(context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket()).limiter(&one), LONG);
        let pid = drive_until(&mut call, arrivals.next()).await;
        assert_station(call.await, Station::Running);
        must_end(pid);
        assert_ne!(context.run_sync(job::pid, ()).limiter(&one).await.unwrap(), pid);
    }
    assert_eq!(context.statistics().timed_out, 2);
    // offproc killed them for their deadline: nothing to report.
    context.close().await.unwrap();
}

async fn gives_up_the_start_of_a_worker(case: Case) {
    let (context, one) = (case.builder().init(|| job::spin()).open().unwrap(), Limiter::new(1));
    for within in ways() {
        assert_station(within(context.run_sync(job::pid, ()).limiter(&one), LONG).await, Station::Starting);
        assert_eq!((one.borrowed_tokens(), context.statistics().starting_workers), (0, 0));
    }
    assert_eq!(context.statistics().started, 0);
    context.close().await.unwrap();
}

async fn gives_up_the_place_in_the_queue(case: Case) {
    let (context, one) = (case.context(), Limiter::new(1));
    let token = one.acquire().await;
    for within in ways() {
        assert_station(within(context.run_sync(job::pid, ()).limiter(&one), SHORT).await, Station::Queued);
        assert_eq!((one.waiting(), context.statistics().waiting_calls), (0, 0));
    }
    assert_eq!(context.statistics().started, 0);
    drop(token);
    assert_eq!(one.borrowed_tokens(), 0);
    context.close().await.unwrap();
}

async fn that_has_passed_starts_nothing(case: Case) {
    let (context, one) = (case.context(), Limiter::new(1));
    for within in ways() {
        let mut call = within(context.run_sync(job::pid, ()).limiter(&one), Duration::ZERO);
        let Poll::Ready(late) = poll!(&mut call) else { panic!("it waits") };
        assert_station(late, Station::Queued);
    }
    // It has passed since the call was queued, and the token is there by then, too.
    let token = one.acquire().await;
    let mut call = context.run_sync(job::pid, ()).limiter(&one).timeout(SHORT);
    assert!(poll!(&mut call).is_pending());
    std::thread::sleep(SHORT);
    drop(token);
    let Poll::Ready(late) = poll!(&mut call) else { panic!("it starts") };
    assert_station(late, Station::Queued);
    assert_eq!((one.borrowed_tokens(), context.statistics().calls, context.statistics().started), (0, 3, 0));
    context.close().await.unwrap();
}

async fn that_is_far_changes_nothing(case: Case) {
    let context = case.context();
    let first = context.run_sync(job::pid, ()).timeout(Duration::MAX).await.unwrap();
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    let call = context.run_sync(job::pid, ()).timeout(century).deadline(Instant::now() + century);
    assert_eq!(call.time_limit(century).await.unwrap(), first);
    context.close().await.unwrap();
}

async fn holds_for_an_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let (context, one) = (case.context(), Limiter::new(1));
    for within in ways() {
        context.run_sync(|()| (), ()).await.unwrap();
        let mut call = within(context.run_sync(job::arrive_and_spin, arrivals.ticket()).limiter(&one), LONG);
        let pid = drive_until(&mut call, arrivals.next()).await;
        drop(call);
        must_end(pid);
        drop(one.acquire().await);
    }
    context.close().await.unwrap();
}

/// Whichever passes first, also if the call was not polled in the meantime.
async fn together_with_a_time_limit_is_the_earlier_one(case: Case) {
    let context = case.context();
    for is_late in [false, true] {
        for (timeout, time_limit) in [(SHORT, LONG * 2), (LONG * 2, SHORT)] {
            context.run_sync(|()| (), ()).await.unwrap();
            let mut call = endless(&context).timeout(timeout).time_limit(time_limit);
            assert!(poll!(&mut call).is_pending());
            if is_late {
                std::thread::sleep(LONG * 3);
            }
            match call.await {
                Err(Error::TimedOut) if time_limit < timeout => {}
                late => {
                    assert!(timeout < time_limit, "{late:?}");
                    assert_station(late, Station::Running);
                }
            }
        }
    }
    context.close().await.unwrap();
}

/// A result or an error, and no worker, token or count is lost.
async fn near_the_end_of_a_job_leaves_nothing_behind(case: Case) {
    let (context, two) = (case.context(), Limiter::new(2));
    let naps = |micros| {
        std::thread::sleep(Duration::from_micros(micros));
        micros
    };
    for round in 0..40_u64 {
        let calls = (0..4_u64).map(|n| {
            let time = Duration::from_micros(200 + (round * 97 + n * 31) % 400);
            let call = context.run_sync(naps, 300).limiter(&two).kill_on_cancel(n == 3);
            // Two end by a deadline, and two are dropped about then.
            let (call, is_dropped) = if n < 2 { (call.timeout(time), false) } else { (call.timeout(time * 2), true) };
            async move {
                if !is_dropped {
                    return Some(call.await);
                }
                futures::pin_mut!(call);
                match futures::future::select(call, smol::Timer::after(time)).await {
                    futures::future::Either::Left((result, _)) => Some(result),
                    futures::future::Either::Right(_) => None,
                }
            }
        });
        for result in join_all(calls).await.into_iter().flatten() {
            match result {
                Ok(micros) => assert_eq!(micros, 300),
                Err(late) => assert!(matches!(late, Error::DeadlineExceeded(_)), "{late:?}"),
            }
        }
    }
    until("all tokens are back", || two.borrowed_tokens() == 0).await;
    let now = context.statistics();
    assert_eq!((now.calls, now.waiting_calls, now.abandoned_jobs, now.running_workers), (160, 0, 0, 0));
    assert_eq!(context.run_sync(naps, 1).limiter(&two).await.unwrap(), 1);
    context.close().await.unwrap();
}

/// With no runtime, and no other thread that would poll it.
fn holds_for_the_blocking_form() {
    for workers in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        let context = Case::new(Executor::FuturesBlockOn, workers).context();
        context.run_sync(|()| (), ()).wait().unwrap();
        assert_station(endless(&context).timeout(SHORT).wait(), Station::Running);
        let (late, times) = endless(&context).timeout(LONG).timed().wait();
        assert!(late.unwrap_err().is_timeout());
        assert!(times.total() >= LONG / 2, "{times:?}");
        let token = Limiter::new(1);
        let _held = token.try_acquire();
        assert_station(endless(&context).limiter(&token).deadline(Instant::now() + SHORT).wait(), Station::Queued);
        context.close().wait().unwrap();
    }
}

fn holds_for_thousands_in_a_queue() {
    let (context, one) = (WorkerContext::builder().open().unwrap(), Limiter::new(1));
    let held = one.try_acquire();
    let calls = (0..5000).map(|n| {
        let call = context.run_sync(job::pid, ()).limiter(&one);
        if n % 2 == 0 { call.timeout(SHORT) } else { call.deadline(Instant::now() + SHORT) }
    });
    let late = futures::executor::block_on(join_all(calls));
    late.into_iter().for_each(|late| assert_station(late, Station::Queued));
    assert_eq!((one.waiting(), context.statistics().waiting_calls, context.statistics().timed_out), (0, 0, 5000));
    drop(held);
    context.run_sync(job::pid, ()).limiter(&one).wait().unwrap();
    context.close().wait().unwrap();
}

fn counts_a_timeout_from_the_first_poll() {
    let context = WorkerContext::builder().open().unwrap();
    context.run_sync(|()| (), ()).wait().unwrap();
    let call = context.run_sync(job::pid, ()).timeout(LONG);
    std::thread::sleep(LONG * 2);
    call.wait().unwrap();
    context.close().wait().unwrap();
}

fn cannot_be_set_after_the_first_poll() {
    let context = WorkerContext::builder().open().unwrap();
    let one = Limiter::new(1);
    let _token = one.try_acquire();
    for set in
        [(|call| call.timeout(SHORT)) as fn(RunSync<(), ()>) -> RunSync<(), ()>, |call| call.deadline(Instant::now())]
    {
        let mut call = context.run_sync(|()| (), ()).limiter(&one);
        assert!(futures::executor::block_on(async { poll!(&mut call) }).is_pending());
        let panic = catch_unwind(AssertUnwindSafe(|| set(call))).expect_err("it panics");
        let message = panic.downcast_ref::<&str>().expect("words");
        assert!(message.contains("before its first poll"), "{message}");
    }
    context.close().wait().unwrap();
}

/// The last one that was set; a timeout and a deadline are two.
fn and_a_later_one_is_one() {
    let context = WorkerContext::builder().open().unwrap();
    let now = Instant::now();
    let call = || context.run_sync(job::pid, ());
    call().timeout(Duration::ZERO).timeout(LONG * 100).wait().unwrap();
    call().deadline(now).deadline(now + LONG * 100).wait().unwrap();
    assert_station(call().timeout(LONG * 100).timeout(Duration::ZERO).wait(), Station::Queued);
    assert_station(call().timeout(LONG * 100).deadline(now).wait(), Station::Queued);
    assert_station(call().deadline(now).timeout(LONG * 100).wait(), Station::Queued);
    context.close().wait().unwrap();
}

/// For a timeout; a deadline is a moment, and passes meanwhile.
fn does_not_count_what_the_program_is_stopped_for() {
    use std::os::unix::process::CommandExt;
    for how in ["timeout", "deadline"] {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_program"));
        let mut program = program.args(["stop", "spawn", how]).process_group(0).spawn().expect("it starts");
        let pid = program.id();
        blocking_until(|| is_stopped(pid), || format!("{how}: it does not stop"));
        std::thread::sleep(Duration::from_millis(2500));
        let group = rustix::process::Pid::from_child(&program);
        rustix::process::kill_process_group(group, rustix::process::Signal::CONT).unwrap();
        assert!(program.wait().unwrap().success(), "{how}");
    }
}

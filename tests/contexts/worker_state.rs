//! The state of workers: made once in each, lent to the jobs of `run_with`, and made anew where a job has cost it.

use futures::FutureExt;
use offproc::{Error, Phase, StateError, Station, WorkerContext, should_stop};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
use std::rc::Rc;
use std::time::Duration;

matrix!(
    is_made_once_in_each_worker_after_init_and_before_its_first_job,
    is_lost_with_a_job_that_panics_and_made_anew,
    of_another_type_is_an_error_in_the_caller,
);

isolated!(
    stays_on_the_thread_that_runs_jobs,
    that_cannot_be_made_is_the_error_of_the_call,
    whose_making_kills_the_worker_is_reported,
    that_cannot_be_made_anew_ends_its_worker,
    is_dropped_when_its_worker_leaves_and_not_when_it_is_killed,
    whose_drop_panics_does_no_harm,
    takes_time_that_is_the_start_s_and_not_the_job_s,
    is_given_up_with_its_call,
    that_takes_longer_than_a_start_may_is_an_error,
    whose_first_making_hangs_is_an_error_of_the_start,
    is_dropped_by_a_worker_whose_job_is_asked_to_stop,
    is_not_dropped_by_a_worker_whose_job_does_not_stop,
    that_was_lost_is_no_reason_to_retire,
    is_lost_for_good_in_a_sandbox,
    of_a_value_that_cannot_be_sent_is_refused_when_the_context_is_opened,
    comes_from_a_value_of_many_bytes,
    is_left_alone_by_a_job_that_has_not_begun,
    is_looked_for_before_it_is_made_anew,
    runs_again_with_its_job,
);

/// What a worker has, and where it writes what becomes of it.
struct Model {
    trace: String,
    sum: u32,
    fails: bool,
}

impl Drop for Model {
    fn drop(&mut self) {
        append(&self.trace, "drop ");
        assert!(!self.fails, "it cannot even be dropped");
    }
}

fn load(trace: String) -> Model {
    append(&trace, "load ");
    Model { trace, sum: 0, fails: false }
}

fn add(model: &mut Model, n: u32) -> u32 {
    append(&model.trace, "add ");
    model.sum += n;
    model.sum
}

fn half(model: &mut Model, n: u32) -> u32 {
    model.sum += n;
    panic!("only half of it is done");
}

fn fail_to_drop(model: &mut Model, n: u32) -> u32 {
    model.fails = true;
    if n > 0 { half(model, n) } else { 0 }
}

fn pid(_: &mut Model, _: ()) -> u32 {
    std::process::id()
}

fn on_all_kinds(test: impl AsyncFn(Case, &Scratch)) {
    for workers in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        let (case, scratch) = (Case::new(Executor::FuturesBlockOn, workers), Scratch::new());
        std::env::set_current_dir(scratch.folder()).unwrap();
        futures::executor::block_on(test(case, &scratch));
    }
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Panicked(panic)) => panic.message().to_owned(),
        other => panic!("not a panic: {other:?}"),
    }
}

async fn is_made_once_in_each_worker_after_init_and_before_its_first_job(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let context = case.builder().init(|| append("trace", "init ")).init_with(scratch.path("trace"), load);
    let context = context.max_concurrency(1).open().unwrap();
    assert_eq!(context.run_sync(|()| append("trace", "job "), ()).await.unwrap(), ());
    assert_eq!(context.run_with(add, 2).await.unwrap(), 2);
    assert_eq!(context.run_with(add, 3).await.unwrap(), 5);
    assert_eq!(context.statistics().states_built, 1);
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    assert_eq!(context.run_with(add, 4).await.unwrap(), 4, "another worker has another state");
    assert_eq!(context.statistics().states_built, 2);
    context.close().await.unwrap();
    assert_eq!(trace("trace"), "init load job add add init load add drop ");
}

async fn is_lost_with_a_job_that_panics_and_made_anew(case: Case) {
    let scratch = Scratch::new();
    let log = scratch.path("trace");
    let context = case.builder().init_with(log.clone(), load).max_concurrency(1).open().unwrap();
    let worker = context.run_with(pid, ()).await.unwrap();
    assert_eq!(context.run_with(add, 2).await.unwrap(), 2);
    // It is no job of `run_with`, and does not touch the state.
    assert_eq!(message(context.run_sync(|()| -> () { panic!("a plain job") }, ()).await), "a plain job");
    assert_eq!(context.run_with(add, 2).await.unwrap(), 4);
    for lost in 1..3 {
        assert_eq!(message(context.run_with(half, 2).await), "only half of it is done");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker, "a plain job needs no state");
        assert_eq!(context.statistics().states_built, lost);
        assert_eq!(context.run_with(add, 3).await.unwrap(), 3);
        assert_eq!(context.statistics().states_built, lost + 1);
    }
    assert_eq!(context.run_with(pid, ()).await.unwrap(), worker);
    let statistics = context.statistics();
    assert_eq!((statistics.started, statistics.calls, statistics.panicked), (1, 11, 3));
    context.close().await.unwrap();
    assert_eq!(trace(&log), "load add add drop load add drop load add drop ");
}

async fn of_another_type_is_an_error_in_the_caller(case: Case) {
    let none = case.context();
    let other = case.builder().init_with((), |()| 1_u64).max_concurrency(1).open().unwrap();
    // It waits for no token.
    let token = other.limiter().acquire().await;
    for (context, found) in [(&none, None), (&other, Some("u64"))] {
        match context.run_with(add, 1).await {
            Err(Error::State(error)) => {
                assert_eq!((error.wanted(), error.found()), ("worker_state::Model", found));
                assert_eq!(error.to_string().contains("u64"), found.is_some(), "{error}");
                let sent = serde_json::to_string(&error).unwrap();
                assert_eq!(serde_json::from_str::<StateError>(&sent).unwrap(), error);
            }
            other => panic!("not the wrong state: {other:?}"),
        }
        let statistics = context.statistics();
        assert_eq!((statistics.calls, statistics.started, statistics.failed_starts), (1, 0, 0));
    }
    drop(token);
    // With a token at hand, too; and in a scope, and by default.
    assert!(matches!(other.run_with(add, 1).await, Err(Error::State(_))));
    assert!(matches!(offproc::run_with(add, 1).await, Err(Error::State(_))));
    let builder = case.builder().init_with(scratch_less(), |n: u32| n);
    let sum = offproc::cache_scope(builder, async { offproc::run_with(|sum: &mut u32, n: u32| *sum + n, 2).await });
    assert_eq!(sum.await.unwrap().unwrap(), 42);
    other.close().await.unwrap();
    none.close().await.unwrap();
}

fn scratch_less() -> u32 {
    40
}

/// Not `Send`.
struct Local(Rc<u32>, std::thread::ThreadId);

fn stays_on_the_thread_that_runs_jobs() {
    on_all_kinds(async |case, _| {
        let context = case.builder().init_with(7, |n: u32| Local(Rc::new(n), std::thread::current().id()));
        let context = context.open().unwrap();
        let seen = |local: &mut Local, ()| (*local.0, local.1 == std::thread::current().id());
        for _ in 0..2 {
            assert_eq!(context.run_with(seen, ()).await.unwrap(), (7, true));
        }
        context.close().await.unwrap();
    });
}

fn load_once_fixed(path: String) -> u32 {
    std::fs::read_to_string(path).expect("the model is there").parse().unwrap()
}

fn that_cannot_be_made_is_the_error_of_the_call() {
    on_all_kinds(async |case, scratch| {
        let path = scratch.path("model");
        let context = case.builder().init_with(path.clone(), load_once_fixed).max_concurrency(1).open().unwrap();
        for failed in 1..3 {
            let said = message(context.run_with(|n: &mut u32, ()| *n, ()).await);
            assert!(said.starts_with("the model is there: "), "{said}");
            // A plain job gets no worker without one either.
            assert_eq!(context.statistics().failed_starts, failed);
        }
        assert!(message(context.run_sync(job::pid, ()).await).starts_with("the model is there"));
        assert_eq!(context.statistics().states_built, 0);
        std::fs::write(&path, "5").unwrap();
        assert_eq!(context.run_with(|n: &mut u32, ()| *n, ()).await.unwrap(), 5);
        assert_eq!(context.statistics().states_built, 1);
        context.close().await.unwrap();
    });
}

fn die_unless(path: String) -> u32 {
    if trace(&path).is_empty() {
        append(&path, "once ");
        return 1;
    }
    job::end_at_once(9);
    0
}

fn whose_making_kills_the_worker_is_reported() {
    on_all_kinds(async |case, scratch| {
        let path = scratch.path("trace");
        let context = case.builder().init_with(path.clone(), die_unless).max_concurrency(1).open().unwrap();
        let lose = |_: &mut u32, ()| -> () { panic!("lost") };
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        // First where it is made anew, then in a new worker.
        for _ in 0..2 {
            match context.run_with(lose, ()).await {
                Err(Error::BrokenWorker(death)) => {
                    assert_eq!(death.phase(), Phase::State);
                    assert_eq!(death.exit_status().and_then(|status| status.code()), Some(9));
                    assert!(death.to_string().contains("while it made its state"), "{death}");
                    assert_eq!(death.function(), Some("worker_state::die_unless"));
                    assert!(death.function_type().is_some_and(|name| name.contains("-> u32")), "{death:#}");
                }
                other => panic!("not a broken worker: {other:?}"),
            }
        }
        let statistics = context.statistics();
        assert_eq!((statistics.states_built, statistics.started, statistics.crashed), (1, 1, 1));
        assert_eq!(statistics.failed_starts, 1);
        context.close().await.unwrap();
    });
}

fn load_first(path: String) -> u32 {
    append(&path, "load ");
    assert!(trace(&path).matches("load").count() % 2 == 1, "not a second time");
    0
}

fn that_cannot_be_made_anew_ends_its_worker() {
    on_all_kinds(async |case, scratch| {
        let context = case.builder().init_with(scratch.path("trace"), load_first).max_concurrency(1).open().unwrap();
        let lose = |_: &mut u32, ()| -> u32 { panic!("lost") };
        let pid = |_: &mut u32, ()| std::process::id();
        let first = context.run_with(pid, ()).await.unwrap();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        assert_eq!(message(context.run_with(pid, ()).await), "not a second time");
        assert_ne!(context.run_with(pid, ()).await.unwrap(), first);
        context.close().await.unwrap();
        let statistics = context.statistics();
        assert_eq!((statistics.states_built, statistics.started, statistics.retired), (2, 2, 2));
    });
}

fn is_dropped_when_its_worker_leaves_and_not_when_it_is_killed() {
    on_all_kinds(async |case, scratch| {
        let log = |name: &str| scratch.path(name);
        let closed = case.builder().init_with(log("closed"), load).open().unwrap();
        closed.run_with(add, 1).await.unwrap();
        closed.close().await.unwrap();
        assert_eq!(trace("closed"), "load add drop ");

        let idle = case.builder().init_with(log("idle"), load).idle_timeout(Duration::ZERO).open().unwrap();
        idle.run_with(add, 1).await.unwrap();
        until("its idle worker has left", || trace("idle") == "load add drop ").await;
        idle.close().await.unwrap();

        let retired = case.builder().init_with(log("retired"), load).retire_after_jobs(2..=2).open().unwrap();
        for _ in 0..4 {
            retired.run_with(add, 1).await.unwrap();
        }
        retired.close().await.unwrap();
        assert_eq!(trace("retired").matches("load").count(), 2);
        assert_eq!(trace("retired").matches("drop").count(), 2);
        assert_eq!(retired.statistics().states_built, 2);

        let killed = case.builder().init_with(log("killed"), load).open().unwrap();
        killed.run_with(add, 1).await.unwrap();
        killed.kill();
        killed.close().await.unwrap_err();
        assert_eq!(trace("killed"), "load add ");
    });
}

fn whose_drop_panics_does_no_harm() {
    on_all_kinds(async |case, scratch| {
        let log = scratch.path("trace");
        let context = case.builder().init_with(log.clone(), load).max_concurrency(1).open().unwrap();
        let worker = context.run_with(pid, ()).await.unwrap();
        // The caller gets the panic of its job, not that of the drop.
        assert_eq!(message(context.run_with(fail_to_drop, 1).await), "only half of it is done");
        assert_eq!(context.run_with(pid, ()).await.unwrap(), worker);
        // And the same at its end.
        assert_eq!(context.run_with(fail_to_drop, 0).await.unwrap(), 0);
        context.close().await.unwrap();
        assert_eq!(trace(&log), "load drop load drop ");
        let statistics = context.statistics();
        assert_eq!((statistics.retired, statistics.crashed, statistics.states_built), (1, 0, 2));
    });
}

fn arrive_and_wait((ticket, gate): (String, String)) -> u32 {
    arrive(&ticket);
    assert!(pass(&gate));
    0
}

fn lose(_: &mut u32, _: ()) -> u32 {
    panic!("lost")
}

fn look(state: &mut u32, _: ()) -> u32 {
    *state
}

fn takes_time_that_is_the_start_s_and_not_the_job_s() {
    on_all_kinds(async |case, scratch| {
        let (arrivals, gate) = (Arrivals::new(scratch, "arrivals"), Gate::new(scratch, "gate"));
        let context = case.builder().init_with((arrivals.ticket(), gate.ticket()), arrive_and_wait);
        let context = context.max_concurrency(1).open().unwrap();
        let limit = Duration::from_millis(400);
        for _ in 0..2 {
            // Once as it starts, and once as it makes the state anew.
            let mut call = context.run_with(look, ()).time_limit(limit).timed();
            let worker = drive_until(&mut call, arrivals.next()).await;
            drive_until(&mut call, smol::Timer::after(limit + limit / 4)).await;
            gate.admit_one();
            let (result, times) = call.await;
            assert_eq!(result.unwrap(), 0);
            assert!(times.starting > limit && times.running < times.starting, "{times:?}");
            assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
            assert_eq!(message(context.run_with(lose, ()).await), "lost");
        }
        // It is out of time while the state is made, and the worker ends.
        match context.run_with(look, ()).timeout(limit).await {
            Err(Error::DeadlineExceeded(Station::Starting)) => {}
            other => panic!("not out of time: {other:?}"),
        }
        until("it is killed", || context.statistics().killed == 1).await;
        assert_eq!(context.statistics().states_built, 2);
        context.close().await.unwrap();
    });
}

fn is_given_up_with_its_call() {
    on_all_kinds(async |case, scratch| {
        let (arrivals, gate) = (Arrivals::new(scratch, "arrivals"), Gate::new(scratch, "gate"));
        let context = case.builder().init_with((arrivals.ticket(), gate.ticket()), arrive_and_wait);
        let context = context.max_concurrency(1).open().unwrap();
        gate.admit_one();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        arrivals.next().await;
        let mut call = context.run_with(look, ());
        let worker = drive_until(&mut call, arrivals.next()).await;
        drop(call);
        offproc_tests::process::must_end(worker);
        assert_eq!(context.limiter().available_tokens(), 1);
        // Its context is killed meanwhile, too.
        gate.admit_one();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        arrivals.next().await;
        let mut call = context.run_with(look, ());
        drive_until(&mut call, arrivals.next()).await;
        context.kill();
        assert!(matches!(call.await, Err(Error::Closed)));
        assert_eq!(context.close().await.unwrap_err().killed(), 1);
        assert_eq!(context.statistics().states_built, 2);
    });
}

fn wait_after((path, gate): (String, String)) -> u32 {
    append(&path, "load ");
    assert!(trace(&path) == "load " || pass(&gate));
    0
}

fn that_takes_longer_than_a_start_may_is_an_error() {
    on_all_kinds(async |case, scratch| {
        let gate = Gate::new(scratch, "gate");
        let builder = case.builder().init_with((scratch.path("trace"), gate.ticket()), wait_after);
        let context = builder.start_timeout(Duration::from_secs(3)).max_concurrency(1).open().unwrap();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        match context.run_with(look, ()).await {
            Err(Error::Spawn(e)) => {
                assert_eq!(e.kind(), std::io::ErrorKind::TimedOut);
                assert!(e.to_string().contains("start_timeout"), "{e}");
            }
            other => panic!("not too late: {other:?}"),
        }
        context.close().await.unwrap();
        let statistics = context.statistics();
        assert_eq!((statistics.killed, statistics.states_built), (1, 1));
    });
}

/// Not at a gate, through which a worker could go that is being killed.
fn wait_for_a_trace(path: String) -> u32 {
    while trace(&path).is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    1
}

fn whose_first_making_hangs_is_an_error_of_the_start() {
    on_all_kinds(async |case, scratch| {
        let builder = case.builder().init_with(scratch.path("go"), wait_for_a_trace);
        let context = builder.start_timeout(Duration::from_secs(3)).max_concurrency(1).open().unwrap();
        match context.run_with(look, ()).await {
            Err(Error::Spawn(e)) => assert!(e.to_string().contains("state"), "it says what hangs: {e}"),
            other => panic!("not too late: {other:?}"),
        }
        let statistics = context.statistics();
        assert_eq!((statistics.failed_starts, statistics.started, statistics.states_built), (1, 0, 0));
        append("go", "1");
        assert_eq!(context.run_with(look, ()).await.unwrap(), 1);
        assert_eq!(context.statistics().states_built, 1);
        context.close().await.unwrap();
    });
}

fn until_asked_to_stop(model: &mut Model, (ticket, is_deaf): (String, bool)) -> u32 {
    arrive(&ticket);
    while is_deaf || !should_stop() {
        std::hint::spin_loop();
    }
    append(&model.trace, "stopped ");
    0
}

fn is_dropped_by_a_worker_whose_job_is_asked_to_stop() {
    on_all_kinds(async |case, scratch| {
        let arrivals = Arrivals::new(scratch, "arrivals");
        let builder = case.builder().init_with(scratch.path("trace"), load).max_concurrency(1).kill_on_cancel(true);
        let context = builder.cancel_grace(Duration::from_secs(600)).open().unwrap();
        let mut call = context.run_with(until_asked_to_stop, (arrivals.ticket(), false));
        drive_until(&mut call, arrivals.next()).await;
        drop(call);
        // Its worker leaves, and the next one begins once it has ended: there is one index.
        assert_eq!(context.run_with(add, 4).await.unwrap(), 4);
        context.close().await.unwrap();
        assert_eq!(trace("trace"), "load stopped drop load add drop ");
        let statistics = context.statistics();
        assert_eq!((statistics.states_built, statistics.killed, statistics.crashed), (2, 0, 0));
    });
}

fn is_not_dropped_by_a_worker_whose_job_does_not_stop() {
    on_all_kinds(async |case, scratch| {
        let arrivals = Arrivals::new(scratch, "arrivals");
        let builder = case.builder().init_with(scratch.path("trace"), load).max_concurrency(1).kill_on_cancel(true);
        let context = builder.cancel_grace(Duration::from_millis(50)).open().unwrap();
        let mut call = context.run_with(until_asked_to_stop, (arrivals.ticket(), true));
        let worker = drive_until(&mut call, arrivals.next()).await;
        drop(call);
        assert_eq!(context.run_with(add, 4).await.unwrap(), 4);
        offproc_tests::process::must_end(worker);
        context.close().await.unwrap();
        assert_eq!(trace("trace"), "load load add drop ");
        assert_eq!((context.statistics().states_built, context.statistics().killed), (2, 1));
    });
}

fn that_was_lost_is_no_reason_to_retire() {
    on_all_kinds(async |case, _| {
        let context = case.builder().init_with(1, |n: u32| n).retire_after_jobs(4..=4).max_concurrency(1);
        let context = context.open().unwrap();
        let pids = |_: &mut u32, ()| std::process::id();
        let first = context.run_with(pids, ()).await.unwrap();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        assert_eq!(context.run_with(pids, ()).await.unwrap(), first);
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), first, "its fourth job");
        assert_ne!(context.run_with(pids, ()).await.unwrap(), first);
        context.close().await.unwrap();
        let statistics = context.statistics();
        assert_eq!((statistics.started, statistics.retired, statistics.states_built), (2, 2, 3));
    });
}

fn is_lost_for_good_in_a_sandbox() {
    on_all_kinds(async |case, scratch| {
        let log = scratch.path("trace");
        let builder = case.builder().init_with(log.clone(), load).sandbox(|| append("trace", "sandbox "));
        let context = builder.max_concurrency(1).open().unwrap();
        let first = context.run_with(pid, ()).await.unwrap();
        assert_eq!(message(context.run_with(half, 1).await), "only half of it is done");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), first);
        assert_ne!(context.run_with(pid, ()).await.unwrap(), first);
        context.close().await.unwrap();
        assert_eq!(trace(&log), "load sandbox drop load sandbox drop ");
        let statistics = context.statistics();
        assert_eq!((statistics.started, statistics.retired, statistics.states_built), (2, 2, 2));
    });
}

fn of_a_value_that_cannot_be_sent_is_refused_when_the_context_is_opened() {
    let refused = |builder: offproc::WorkerContextBuilder| builder.open().unwrap_err().to_string();
    let file = offproc::Fd(std::fs::File::open("/dev/null").unwrap());
    let text = refused(WorkerContext::builder().init_with(file, |_| ()));
    assert!(text.starts_with("the value for `init_with`: "), "{text}");
    let text = refused(WorkerContext::builder().max_message_size(1 << 16).init_with(vec![0_u8; 1 << 16], |_| ()));
    assert!(text.contains("max_message_size"), "{text}");
    // Also for the default context, and by a function that is no part of a worker.
    assert!(offproc::configure_default_context(WorkerContext::builder().init_with((), |()| ())).is_ok());
    assert!(offproc::run_with(|_: &mut (), n: u32| n + 1, 1).wait().unwrap() == 2);
}

fn comes_from_a_value_of_many_bytes() {
    on_all_kinds(async |case, _| {
        // More than the first frame of a worker may have, and than a socket takes.
        let value = serde_bytes::ByteBuf::from(vec![3; 20 << 20]);
        let context = case.builder().init_with(value, |bytes| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        let context = context.open().unwrap();
        let sum = |sum: &mut u64, fails: bool| if fails { panic!("lost") } else { *sum };
        for _ in 0..2 {
            assert_eq!(context.run_with(sum, false).await.unwrap(), 60 << 20);
            assert_eq!(message(context.run_with(sum, true).await), "lost");
        }
        context.close().await.unwrap();
    });
}

#[derive(Debug, serde::Serialize)]
struct Undeserialisable;

impl<'de> serde::Deserialize<'de> for Undeserialisable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

fn is_left_alone_by_a_job_that_has_not_begun() {
    on_all_kinds(async |case, _| {
        let context = case.builder().init_with(1, |n: u32| n).open().unwrap();
        let function = |state: &mut u32, _: Undeserialisable| *state;
        assert!(matches!(context.run_with(function, Undeserialisable).await, Err(Error::Decode(_))));
        assert_eq!(context.run_with(look, ()).await.unwrap(), 1);
        assert_eq!(context.statistics().states_built, 1);
        context.close().await.unwrap();
    });
}

fn is_looked_for_before_it_is_made_anew() {
    on_all_kinds(async |case, _| {
        let context = case.builder().init_with(1, |n: u32| n).max_concurrency(2).open().unwrap();
        context.warm_up(2).await.unwrap();
        assert_eq!(message(context.run_with(lose, ()).await), "lost");
        for _ in 0..3 {
            assert_eq!(context.run_with(look, ()).await.unwrap(), 1);
        }
        assert_eq!(context.statistics().states_built, 2, "the other worker has its own");
        context.close().await.unwrap();
    });
}

fn die_once(_: &mut u32, path: String) -> u32 {
    if trace(&path).is_empty() {
        append(&path, "once ");
        job::end_at_once(9);
    }
    std::process::id()
}

fn runs_again_with_its_job() {
    on_all_kinds(async |case, scratch| {
        let context = case.builder().init_with(1, |n: u32| n).max_concurrency(1).open().unwrap();
        let first = context.run_sync(job::pid, ()).await.unwrap();
        assert_ne!(context.run_with(die_once, scratch.path("trace")).retry_crashes(1).await.unwrap(), first);
        let statistics = context.statistics();
        assert_eq!((statistics.states_built, statistics.crashed), (2, 1));
        // An abandoned job goes on with the state, and may cost it.
        let (arrivals, gate) = (Arrivals::new(scratch, "arrivals"), Gate::new(scratch, "gate"));
        let wait_and_lose = |_: &mut u32, (ticket, gate): (String, String)| -> u32 {
            arrive(&ticket);
            assert!(pass(&gate));
            panic!("lost")
        };
        let mut call = context.run_with(wait_and_lose, (arrivals.ticket(), gate.ticket()));
        drive_until(&mut call, arrivals.next()).await;
        drop(call);
        let mut next = context.run_with(look, ());
        assert!((&mut next).now_or_never().is_none(), "the abandoned job has the token");
        gate.admit_one();
        assert_eq!(next.await.unwrap(), 1);
        assert_eq!(context.statistics().states_built, 3);
        context.close().await.unwrap();
    });
}

//! Workers that start and end, and what is in the way of that, are events of the program's subscriber.

use futures::poll;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::process::kill;
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::spans::{Happened, Spans};
use offproc_tests::waiting::{blocking_until, drive_until, until};
use offproc_tests::{Case, isolated, job, matrix};
use std::time::Duration;
use tracing::dispatcher::with_default;
use tracing::{Dispatch, Level};

matrix!(
    tell_of_starts_and_of_workers_that_leave,
    tell_of_kills,
    tell_of_crashes_with_their_report,
    tell_of_starts_that_are_delayed,
    tell_of_tokens_that_abandoned_jobs_hold,
);

isolated!(tell_the_context_s_subscriber_of_what_no_call_causes, tell_the_call_s_subscriber_of_its_worker);

/// The reason and the process ids of workers that have left so far.
fn retired(spans: &Spans) -> Vec<(String, String)> {
    let retired = spans.events_of("worker retired");
    retired.into_iter().map(|event| (event.fields["reason"].clone(), event.fields["worker.pid"].clone())).collect()
}

async fn tell_of_starts_and_of_workers_that_leave(case: Case) {
    let spans = Spans::globally();
    let mut expected = Vec::new();
    let context = case.builder().name("leaves").idle_timeout(Duration::ZERO).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap().to_string();
    let started = spans.events_of("worker started");
    assert_eq!(started.len(), 1);
    assert_eq!((started[0].level, started[0].span), (Level::INFO, Some("offproc.call")));
    assert_eq!((&*started[0].fields["context"], &started[0].fields["worker.pid"]), ("leaves", &pid));
    expected.push(("idle".to_owned(), pid));
    until("the event is there", || retired(&spans) == expected).await;
    context.close().await.unwrap();
    let context = case.builder().retire_after_jobs(1..=1).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap().to_string();
    expected.push(("retired".to_owned(), pid));
    until("the event is there", || retired(&spans) == expected).await;
    context.close().await.unwrap();
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).await.unwrap().to_string();
    expected.push(("closed".to_owned(), pid));
    context.close().await.unwrap();
    assert_eq!(retired(&spans), expected, "before the close is over");
    assert_eq!(spans.events().len(), 6, "{spans:?}");
}

async fn tell_of_kills(case: Case) {
    let spans = Spans::globally();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().name("kills").open().unwrap();
    let mut killed = Vec::new();
    let mut dropped = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    killed.push(drive_until(&mut dropped, arrivals.next()).await.to_string());
    drop(dropped);
    let seen = || -> Vec<_> {
        spans.events_of("worker killed").into_iter().map(|event| event.fields["worker.pid"].clone()).collect()
    };
    until("the event is there", || seen() == killed).await;
    let mut runs = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    killed.push(drive_until(&mut runs, arrivals.next()).await.to_string());
    context.kill();
    runs.await.unwrap_err();
    context.close().await.unwrap_err();
    assert_eq!(seen(), killed, "before the close is over");
    assert!(spans.events_of("worker killed").iter().all(|event| event.fields["context"] == "kills"));
    assert!(spans.events_of("worker crashed").is_empty());
}

/// Takes more memory than the program has, writes to stderr, and dies.
fn says_and_dies(code: i32) {
    std::hint::black_box(vec![1_u8; 64 << 20]);
    eprintln!("chunk 17 is longer than the file");
    job::end_at_once(code);
}

fn read_nowhere(_: ()) {
    // SAFETY: it ends the worker.
    unsafe { std::ptr::with_exposed_provenance::<u8>(0x10).read_volatile() };
}

/// The event has each part of the report that the call has got, and no others.
#[track_caller]
fn assert_tells_all(crashed: &Happened, error: Error) {
    let Error::BrokenWorker(death) = error else { panic!("not a death: {error:?}") };
    let micros = |time: Option<Duration>| time.map(|time| time.as_micros().to_string());
    let parts = [
        ("exit_status", death.exit_status().map(|status| status.to_string())),
        ("phase", Some(death.phase().to_string())),
        ("function", death.function().map(str::to_owned)),
        ("function_type", death.function_type().map(str::to_owned)),
        ("called_at", death.called_at().map(str::to_owned)),
        ("ran_for_us", micros(death.ran_for())),
        ("user_time_us", micros(death.user_time())),
        ("system_time_us", micros(death.system_time())),
        ("peak_memory_bytes", death.peak_memory().map(|bytes| bytes.to_string())),
        ("fault", death.fault().map(|fault| fault.to_string())),
        ("core_dumped", Some(death.core_dumped().to_string())),
        ("oom_killed", death.oom_killed().map(|is_so| is_so.to_string())),
        ("stderr", death.stderr().map(str::to_owned)),
    ];
    for (name, expected) in parts {
        assert_eq!(crashed.fields.get(name), expected.as_ref(), "{name}");
    }
}

async fn tell_of_crashes_with_their_report(case: Case) {
    let spans = Spans::globally();
    let context: WorkerContext = case.builder().name("crashes").keep_stderr(true).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap().to_string();
    let death = context.run_sync(says_and_dies, 42).await.unwrap_err();
    let crashed = spans.events_of("worker crashed").pop().expect("it comes before the error of the call");
    assert_eq!((crashed.level, crashed.span), (Level::WARN, Some("offproc.call")));
    let field = |name| crashed.fields.get(name).map_or("", String::as_str);
    assert_eq!((field("context"), field("worker.pid")), ("crashes", &*pid));
    assert!(field("error").contains("exited with code 42"), "{crashed:?}");
    assert!(field("function").contains("says_and_dies"), "{crashed:?}");
    assert!(field("called_at").contains("worker_events.rs:"), "{crashed:?}");
    assert!(field("exit_status").contains("42"), "{crashed:?}");
    assert!(field("stderr").contains("chunk 17"), "{crashed:?}");
    assert_eq!(field("phase"), "while it ran a job");
    assert!(field("peak_memory_bytes").parse::<u64>().is_ok_and(|bytes| bytes > 64 << 20), "{crashed:?}");
    assert_tells_all(&crashed, death);
    let faults = case.builder().fault_details(true).open().unwrap();
    let death = faults.run_sync(read_nowhere, ()).await.unwrap_err();
    let crashed = spans.events_of("worker crashed").pop().expect("it comes before the error of the call");
    assert!(crashed.fields["fault"].contains("0x10"), "{crashed:?}");
    assert_tells_all(&crashed, death);
    faults.close().await.unwrap();
    // One without a job.
    let idle = context.run_sync(job::pid, ()).await.unwrap();
    kill(idle);
    until("the event is there", || spans.events_of("worker crashed").len() == 3).await;
    let crashed = spans.events_of("worker crashed").pop().unwrap();
    assert_eq!((&*crashed.fields["phase"], crashed.span), ("while it had no job", None));
    assert_eq!(crashed.fields["worker.pid"], idle.to_string());
    context.close().await.unwrap_err();
    assert_eq!(spans.events_of("worker crashed").len(), 3, "one event for each");
}

async fn tell_of_starts_that_are_delayed(case: Case) {
    let spans = Spans::globally();
    let context = case.builder().name("delays").init(|| panic!("not today")).open().unwrap();
    for _ in 0..3 {
        context.run_sync(job::pid, ()).await.unwrap_err();
    }
    let delayed = spans.events_of("worker start delayed");
    assert_eq!(delayed.len(), 1, "the first failure may be chance: {spans:?}");
    assert_eq!((delayed[0].level, delayed[0].span), (Level::WARN, Some("offproc.call")));
    assert_eq!(delayed[0].fields["context"], "delays");
    assert!(delayed[0].fields["delay_us"].parse::<u64>().unwrap() <= 10_000);
    context.close().await.unwrap();
}

async fn tell_of_tokens_that_abandoned_jobs_hold(case: Case) {
    let spans = Spans::globally();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().name("holds").grace_period(Duration::ZERO).open().unwrap();
    let one = Limiter::new(1);
    let mut endless = context.run_sync(job::arrive_and_spin, arrivals.ticket()).limiter(&one);
    drive_until(&mut endless, arrivals.next()).await;
    drop(endless);
    let mut waits = context.run_sync(job::pid, ()).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    let seen = || spans.events_of("all tokens are held by abandoned jobs");
    until("the event is there", || seen().len() == 1).await;
    let seen = seen().pop().unwrap();
    assert_eq!(seen.level, Level::WARN);
    assert_eq!((&*seen.fields["context"], &*seen.fields["tokens"], &*seen.fields["waiting"]), ("holds", "1", "1"));
    drop(waits);
    context.close().await.unwrap_err();
}

/// The events that a subscriber has got, in order.
fn told(spans: &Spans) -> Vec<String> {
    spans.events().into_iter().map(|event| event.message).collect()
}

fn until_told(spans: &Spans, expected: &[&str]) {
    blocking_until(|| told(spans) == expected, || format!("{spans:?} has not {expected:?}"));
}

fn tell_the_context_s_subscriber_of_what_no_call_causes() {
    let (global, own) = (Spans::globally(), Spans::default());
    let subscriber = Dispatch::new(own.subscriber());
    let open = || {
        let fails = || assert!(std::env::var_os("FAILS").is_none(), "not today");
        let sound = WorkerContext::builder().spare_workers(1).open().unwrap();
        (sound, WorkerContext::builder().init(fails).env("FAILS", "1").open().unwrap())
    };
    let (context, fails) = with_default(&subscriber, open);
    // By a warm-up, and by a spare worker.
    context.warm_up(1).wait().unwrap();
    until_told(&own, &["worker started"]);
    context.run_sync(job::pid, ()).wait().unwrap();
    until_told(&own, &["worker started"; 2]);
    context.close().wait().unwrap();
    assert_eq!(told(&own)[2..], ["worker retired"; 2]);
    // A start that is to be delayed.
    while told(&own).len() == 4 {
        fails.warm_up(1).wait().unwrap_err();
    }
    fails.close().wait().unwrap();
    assert!(told(&own)[4..].iter().all(|told| told == "worker start delayed"), "{own:?}");
    assert_eq!(told(&global), [""; 0]);
    // The global one gets them where the context's has gone.
    let (context, _) = with_default(&Dispatch::new(Spans::default().subscriber()), open);
    context.warm_up(1).wait().unwrap();
    context.close().wait().unwrap();
    assert_eq!(told(&global), ["worker started", "worker retired"]);
}

fn tell_the_call_s_subscriber_of_its_worker() {
    for is_there in [true, false] {
        let [of_context, of_call] = [(); 2].map(|()| Spans::default());
        let [opens, calls] = [&of_context, &of_call].map(|spans| Dispatch::new(spans.subscriber()));
        let context = with_default(&opens, || WorkerContext::builder().open().unwrap());
        with_default(&calls, || context.run_sync(job::pid, ()).wait()).unwrap();
        assert_eq!((told(&of_call), told(&of_context)), (vec!["worker started".to_owned()], vec![]));
        // And the context's, once that has gone.
        let kept = is_there.then_some(calls);
        context.close().wait().unwrap();
        let last = if kept.is_some() { &of_call } else { &of_context };
        assert_eq!(told(last).last().unwrap(), "worker retired");
        assert_eq!(told(&of_call).len() + told(&of_context).len(), 2);
    }
}

//! Each call is a span, `offproc.call`, in that of its caller, and says how it ended and where its time went.

use futures::poll;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::spans::{Span, Spans};
use offproc_tests::untransferable::{Panics, Refuses};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tracing::{Instrument, Level, info_span};

matrix!(
    say_what_was_called_and_where_its_time_went,
    say_each_outcome,
    are_in_the_span_of_their_callers,
    say_that_a_call_was_cancelled,
    say_once_which_worker_has_the_job,
    say_what_the_default_context_is_called,
    are_of_the_subscriber_of_their_thread,
);

fn last(spans: &Spans) -> Span {
    let last = spans.calls().pop().expect("a span");
    assert!(last.is_closed, "{last:?}");
    last
}

fn number(span: &Span, field: &str) -> u64 {
    span.fields[field].parse().unwrap()
}

/// Takes a while.
fn takes_a_while(time: Duration) {
    std::thread::sleep(time);
}

const WHILE: Duration = Duration::from_millis(20);

async fn say_what_was_called_and_where_its_time_went(case: Case) {
    let spans = Spans::globally();
    let context = case.builder().name("thumbnails").init(|| std::thread::sleep(WHILE)).open().unwrap();
    context.run_sync(takes_a_while, WHILE).await.unwrap();
    let cold = last(&spans);
    assert_eq!((cold.name, &*cold.target, cold.level), ("offproc.call", "offproc", Level::INFO));
    assert_eq!((&*cold.fields["context"], &*cold.fields["outcome"]), ("thumbnails", "ok"));
    assert!(cold.fields["function"].contains("takes_a_while"), "{cold:?}");
    let micros = WHILE.as_micros() as u64;
    assert!(number(&cold, "starting_us") >= micros && number(&cold, "running_us") >= micros, "{cold:?}");
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    let warm = last(&spans);
    assert_eq!(warm.fields["worker.pid"], pid.to_string());
    assert_eq!(number(&warm, "starting_us"), 0);
    let names: Vec<_> = warm.fields.keys().copied().collect();
    let fields = ["context", "function", "outcome", "queued_us", "running_us", "starting_us", "worker.pid"];
    assert_eq!(names, fields);
    let one = Limiter::new(1);
    let permit = one.acquire().await;
    let mut waits = context.run_sync(job::pid, ()).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    let open = spans.calls().pop().unwrap();
    assert!(!open.is_closed && !open.fields.contains_key("outcome"));
    std::thread::sleep(WHILE);
    drop(permit);
    waits.await.unwrap();
    assert!(number(&last(&spans), "queued_us") >= micros);
    assert_eq!(spans.calls().len(), 3);
    context.close().await.unwrap();
}

async fn say_once_which_worker_has_the_job(case: Case) {
    let spans = Spans::globally();
    let context = case.context();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let job = |(ticket, gate): (String, String)| {
        arrive(&ticket);
        pass(&gate)
    };
    let mut call = context.run_sync(job, (arrivals.ticket(), gate.ticket()));
    drive_until(&mut call, arrivals.next()).await;
    for _ in 0..3 {
        assert!(poll!(&mut call).is_pending());
    }
    gate.admit_one();
    assert!(call.await.unwrap());
    let span = last(&spans);
    assert_eq!(span.records.iter().filter(|name| **name == "worker.pid").count(), 1, "{span:?}");
    context.close().await.unwrap();
}

async fn say_each_outcome(case: Case) {
    let spans = Spans::globally();
    let context = case.builder().max_queue(0).open().unwrap();
    let outcome = || last(&spans).fields["outcome"].clone();
    let spin = |_: ()| -> () { job::spin() };
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(outcome(), "ok");
    context.run_sync(|()| -> () { panic!("as it is to") }, ()).await.unwrap_err();
    assert_eq!(outcome(), "panicked");
    context.run_sync(|_: Refuses| (), Refuses { to_go: true }).await.unwrap_err();
    assert_eq!(outcome(), "encode");
    assert!(!last(&spans).fields.contains_key("running_us") || number(&last(&spans), "running_us") < 1_000_000);
    context.run_sync(|()| Refuses { to_go: false }, ()).await.unwrap_err();
    assert_eq!(outcome(), "decode");
    context.run_sync(spin, ()).time_limit(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(outcome(), "timed_out");
    context.run_sync(spin, ()).timeout(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(outcome(), "deadline");
    context.run_sync(spin, ()).cpu_limit(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(outcome(), "cpu_time");
    context.run_sync(spin, ()).memory_limit(1).await.unwrap_err();
    assert_eq!(outcome(), "memory");
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    assert_eq!(outcome(), "crashed");
    let one = Limiter::new(1);
    let permit = one.acquire().await;
    assert!(matches!(context.run_sync(job::pid, ()).limiter(&one).await, Err(Error::Overloaded)));
    assert_eq!(outcome(), "overloaded");
    drop(permit);
    context.close().await.unwrap();
    context.run_sync(job::pid, ()).await.unwrap_err();
    assert_eq!(outcome(), "closed");
    assert!(!last(&spans).fields.contains_key("worker.pid"), "it had no worker");
    let nowhere = case.builder().current_dir("/nowhere/at/all").open().unwrap();
    assert!(matches!(nowhere.run_sync(job::pid, ()).await, Err(Error::Spawn(_))));
    assert_eq!(outcome(), "spawn");
    nowhere.close().await.unwrap();
    assert!(spans.calls().iter().all(|span| span.is_closed));
}

async fn are_in_the_span_of_their_callers(case: Case) {
    let spans = Spans::globally();
    let context = case.context();
    // Awaited in it.
    context.run_sync(job::pid, ()).instrument(info_span!("awaits")).await.unwrap();
    assert_eq!(last(&spans).parent, Some("awaits"));
    // Made in it, and polled in none: as a task is that is spawned.
    let made = info_span!("makes").in_scope(|| context.run_sync(job::pid, ()));
    made.await.unwrap();
    assert_eq!(last(&spans).parent, Some("makes"));
    // Made in one, which is over, and awaited in another.
    let made = info_span!("makes").in_scope(|| context.run_sync(job::pid, ()));
    made.instrument(info_span!("awaits")).await.unwrap();
    assert_eq!(last(&spans).parent, Some("awaits"));
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(last(&spans).parent, None);
    // Its caller's is over before it is.
    let mut call = context.run_sync(takes_a_while, WHILE);
    let early = info_span!("is over early");
    assert!(early.in_scope(|| futures::FutureExt::now_or_never(&mut call)).is_none());
    drop(early);
    call.await.unwrap();
    assert_eq!(last(&spans).parent, Some("is over early"));
    context.close().await.unwrap();
}

async fn say_that_a_call_was_cancelled(case: Case) {
    let spans = Spans::globally();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().grace_period(Duration::ZERO).open().unwrap();
    drop(context.run_sync(job::pid, ()));
    assert!(spans.calls().is_empty(), "it was never polled");
    let mut starts = context.run_sync(job::pid, ());
    assert!(poll!(&mut starts).is_pending());
    drop(starts);
    assert_eq!(last(&spans).fields["outcome"], "cancelled");
    for kill in [true, false] {
        let mut runs = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(kill);
        let pid = drive_until(&mut runs, arrivals.next()).await;
        drop(runs);
        let cancelled = last(&spans);
        assert_eq!(cancelled.fields["outcome"], "cancelled");
        assert_eq!(cancelled.fields["worker.pid"], pid.to_string());
    }
    // Its job gets a worker of its own, which has to start first.
    let mut call = Box::pin(context.run_sync(|_: Panics| (), Panics));
    let poll = |call: &mut _| {
        catch_unwind(AssertUnwindSafe(|| Future::poll(pin!(call), &mut Context::from_waker(Waker::noop())).is_ready()))
    };
    while poll(&mut call).is_ok_and(|is_ready| !is_ready) {
        std::thread::yield_now();
    }
    assert_eq!(last(&spans).fields["outcome"], "cancelled");
    assert_eq!(spans.calls().len(), 4);
    context.close().await.unwrap_err();
}

async fn say_what_the_default_context_is_called(case: Case) {
    let spans = Spans::globally();
    offproc::run_sync(job::pid, ()).await.unwrap();
    assert_eq!(last(&spans).fields["context"], "default");
    let unnamed = case.context();
    unnamed.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(last(&spans).fields["context"], "");
    unnamed.close().await.unwrap();
}

async fn are_of_the_subscriber_of_their_thread(case: Case) {
    let spans = Spans::default();
    let context: WorkerContext = case.context();
    // There is none in general, and one here.
    tracing::subscriber::with_default(spans.subscriber(), || context.run_sync(job::pid, ()).wait()).unwrap();
    assert_eq!(last(&spans).fields["outcome"], "ok");
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(spans.calls().len(), 1);
    context.close().await.unwrap();
    // Its worker was started under it.
    let (started, retired) = (spans.events_of("worker started"), spans.events_of("worker retired"));
    assert_eq!((started.len(), retired.len()), (1, 0), "the subscriber is gone by then: {spans:?}");
}

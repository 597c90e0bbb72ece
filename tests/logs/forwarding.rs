//! The `tracing` events and `log` records of jobs appear in the program's subscriber: `forward_tracing`.

use futures::FutureExt;
use offproc::{Error, WorkerContext};
use offproc_tests::captured::{Captured, Said, Seen};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Serialize, Serializer, ser};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Level};

matrix!(
    arrives_in_the_span_of_its_caller,
    arrives_in_order_before_the_result,
    arrives_before_the_crash_after_it,
    arrives_before_the_panic_after_it,
    arrives_before_the_kill_after_it,
    arrives_although_its_call_was_dropped,
    arrives_from_an_abandoned_job_in_its_span,
    arrives_from_init_in_no_span,
    arrives_from_threads_left_behind_in_no_span,
    arrives_while_nobody_polls_its_call,
    arrives_before_a_close_is_over,
    arrives_from_workers_of_workers,
    is_of_the_levels_that_the_context_and_the_program_want,
    goes_to_the_subscriber_of_its_caller,
    holds_no_span_of_a_call_that_could_not_be_sent,
    is_the_job_s_own_where_nothing_is_forwarded,
);
#[cfg(unix)]
matrix!(of_a_process_that_a_job_forks_stays_there);

fn forwarding(case: Case) -> WorkerContext {
    case.builder().forward_tracing(LevelFilter::TRACE).open().unwrap()
}

/// A call in a span of the caller's.
async fn in_span<T>(call: impl Future<Output = T>) -> T {
    call.instrument(tracing::info_span!("request")).await
}

#[derive(Debug)]
struct Outer(std::fmt::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn says_all_there_is(_: ()) -> (u32, u32) {
    let _span = tracing::info_span!("of the job").entered();
    let error = Outer(std::fmt::Error);
    let error: &(dyn std::error::Error + 'static) = &error;
    tracing::warn!(
        target: "its::target",
        count = 3_u64, less = -3, ratio = 0.5, is = true, name = "näme", shown = %"x\ny", debugged = ?Some(1),
        big = u128::MAX, error, "a message of {}", 'ü'
    );
    let first = line!() - 1;
    log::error!(target: "by::log", n = 1_u64, less = -1, is = true, s = "x", d:? = Some(1), message = "m"; "so {}", 1);
    (first - 4, line!() - 1)
}

async fn arrives_in_the_span_of_its_caller(case: Case) {
    let captured = Captured::globally();
    let (first, second) = in_span(forwarding(case).run_sync(says_all_there_is, ())).await.unwrap();
    let events = captured.events();
    let [by_tracing, by_log] = &events[..] else { panic!("{captured:?}") };
    let fields = [
        ("count", "u64 3"),
        ("less", "i64 -3"),
        ("ratio", "f64 0.5"),
        ("is", "bool true"),
        ("name", "str näme"),
        ("shown", "debug x\ny"),
        ("debugged", "debug Some(1)"),
        ("big", &format!("u128 {}", u128::MAX)),
        ("error", &format!("error outer: {}", std::fmt::Error)),
    ];
    let expected = Said {
        level: Level::WARN,
        target: "its::target".to_owned(),
        module_path: Some(module_path!().to_owned()),
        file: Some(file!().to_owned()),
        line: Some(first),
        message: "a message of ü".to_owned(),
        fields: fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
        spans: by_tracing.spans.clone(),
        is_inside: true,
    };
    assert_eq!(*by_tracing, expected);
    assert_eq!(by_tracing.spans[0], "request");
    let fields = [
        ("n", "u64 1"),
        ("less", "i64 -1"),
        ("is", "bool true"),
        ("s", "str x"),
        ("d", "debug Some(1)"),
        ("log.message", "str m"),
    ];
    let expected = Said {
        level: Level::ERROR,
        target: "by::log".to_owned(),
        line: Some(second),
        message: "so 1".to_owned(),
        fields: fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
        ..expected
    };
    assert_eq!(*by_log, expected);
}

fn counts_to(last: u32) -> u32 {
    (0..last).for_each(|n| tracing::debug!("{n}"));
    last
}

async fn arrives_in_order_before_the_result(case: Case) {
    let captured = Captured::globally();
    let context = forwarding(case);
    let mut expected = Vec::new();
    for last in [0, 1, 2, 3000, 0, 5] {
        assert_eq!(in_span(context.run_sync(counts_to, last)).await.unwrap(), last);
        expected.extend((0..last).map(|n| n.to_string()));
        assert_eq!(captured.messages(), expected);
        let is_closed_last = matches!(captured.all().last(), Some(Seen::Closed("request")));
        assert!(is_closed_last, "{captured:?}");
    }
    assert_eq!(captured.dropped(), 0);
}

async fn arrives_before_the_crash_after_it(case: Case) {
    let captured = Captured::globally();
    let call = forwarding(case).run_sync(
        |()| -> () {
            counts_to(3);
            job::end_at_once(7);
        },
        (),
    );
    assert!(matches!(in_span(call).await, Err(Error::BrokenWorker(_))));
    assert_eq!(captured.messages(), ["0", "1", "2"]);
    assert!(matches!(captured.all().last(), Some(Seen::Closed("request"))), "{captured:?}");
}

async fn arrives_before_the_panic_after_it(case: Case) {
    let captured = Captured::globally();
    let call = forwarding(case).run_sync(
        |()| -> () {
            counts_to(3);
            panic!("after three");
        },
        (),
    );
    assert!(matches!(in_span(call).await, Err(Error::Panicked(_))));
    assert_eq!(captured.messages(), ["0", "1", "2"]);
}

fn counts_and_spins(_: ()) {
    counts_to(3);
    job::spin();
}

async fn arrives_before_the_kill_after_it(case: Case) {
    let captured = Captured::globally();
    let call = forwarding(case).run_sync(counts_and_spins, ()).time_limit(Duration::from_millis(200));
    assert!(matches!(in_span(call).await, Err(Error::TimedOut)));
    until("it has arrived", || captured.messages() == ["0", "1", "2"]).await;
    assert!(captured.events().iter().all(|said| said.spans[0] == "request"), "{captured:?}");
}

async fn arrives_although_its_call_was_dropped(case: Case) {
    let captured = Captured::globally();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = forwarding(case);
    let call = context.run_sync(
        |ticket: String| -> () {
            counts_to(3);
            arrive(&ticket);
            job::spin();
        },
        arrivals.ticket(),
    );
    let mut call = Box::pin(in_span(call.kill_on_cancel(true)));
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    until("it has arrived", || captured.messages() == ["0", "1", "2"]).await;
    assert!(captured.events().iter().all(|said| said.spans[0] == "request"), "{captured:?}");
    context.close().await.unwrap();
}

async fn arrives_from_an_abandoned_job_in_its_span(case: Case) {
    let captured = Captured::globally();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = forwarding(case);
    let span = tracing::info_span!("request");
    let mut call = Box::pin(
        context
            .run_sync(
                |(ticket, gate): (String, String)| {
                    arrive(&ticket);
                    if pass(&gate) {
                        counts_to(3);
                    }
                },
                (arrivals.ticket(), gate.ticket()),
            )
            .into_future()
            .instrument(span),
    );
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    until("its span has ended", || matches!(captured.all().last(), Some(Seen::Closed("request")))).await;
    assert_eq!(captured.messages(), ["0", "1", "2"]);
    assert!(captured.events().iter().all(|said| said.spans[0] == "request"), "{captured:?}");
}

fn init_says_something() {
    tracing::info!("from init");
}

async fn arrives_from_init_in_no_span(case: Case) {
    let captured = Captured::globally();
    let builder = case.builder().forward_tracing(LevelFilter::INFO).init(init_says_something);
    let context = builder.open().unwrap();
    in_span(context.run_sync(|()| tracing::info!("from the job"), ())).await.unwrap();
    assert_eq!(captured.messages(), ["from init", "from the job"]);
    let events = captured.events();
    assert!(events[0].spans.is_empty() && !events[1].spans.is_empty(), "{events:?}");
}

async fn arrives_from_threads_left_behind_in_no_span(case: Case) {
    // In a worker of this type, another thread's events go to the copy of the program's subscriber.
    if case.workers() == offproc_tests::WorkerKind::Fork {
        return;
    }
    let captured = Captured::globally();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = forwarding(case);
    let call = context.run_sync(
        |(ticket, gate): (String, String)| {
            std::thread::spawn(|| tracing::info!("from a thread")).join().unwrap();
            std::thread::spawn(move || {
                if pass(&gate) {
                    tracing::info!("late");
                    arrive(&ticket);
                }
            });
        },
        (arrivals.ticket(), gate.ticket()),
    );
    in_span(call).await.unwrap();
    gate.admit_one();
    arrivals.next().await;
    until("it has arrived", || captured.messages() == ["from a thread", "late"]).await;
    let events = captured.events();
    assert!(events[1].spans.is_empty() && !events[0].spans.is_empty(), "{events:?}");
}

async fn arrives_while_nobody_polls_its_call(case: Case) {
    let captured = Captured::globally();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = forwarding(case);
    let mut call = context
        .run_sync(
            |(ticket, gate): (String, String)| {
                arrive(&ticket);
                counts_to(3000);
                pass(&gate)
            },
            (arrivals.ticket(), gate.ticket()),
        )
        .into_future();
    drive_until(&mut call, arrivals.next()).await;
    until("all has arrived", || captured.messages().len() == 3000).await;
    gate.admit_one();
    assert!(call.await.unwrap());
    assert_eq!(captured.dropped(), 0);
}

fn says_that_it_retires() -> bool {
    tracing::info!("retires");
    true
}

async fn arrives_before_a_close_is_over(case: Case) {
    let captured = Captured::globally();
    let builder = case.builder().forward_tracing(LevelFilter::TRACE).retire(says_that_it_retires);
    let context = builder.open().unwrap();
    context.run_sync(counts_to, 1).await.unwrap();
    context.close().await.unwrap();
    assert_eq!(captured.messages(), ["0", "retires"]);
}

async fn arrives_from_workers_of_workers(case: Case) {
    if case.workers() == offproc_tests::WorkerKind::Fork {
        return; // it has no workers of its own
    }
    let captured = Captured::globally();
    let call = forwarding(case).run_sync(
        |()| {
            tracing::info!("before");
            let context = WorkerContext::builder().forward_tracing(LevelFilter::TRACE).open().unwrap();
            context.run_sync(counts_to, 2).wait().unwrap();
            context.close().wait().unwrap();
            tracing::info!("after");
        },
        (),
    );
    in_span(call).await.unwrap();
    assert_eq!(captured.messages(), ["before", "0", "1", "after"]);
    assert!(captured.events().iter().all(|said| said.spans[0] == "request"), "{captured:?}");
}

fn says_at_all_levels(_: ()) -> (bool, bool) {
    tracing::error!("1");
    tracing::warn!("2");
    log::info!("3");
    tracing::debug!("4");
    log::trace!("5");
    (tracing::enabled!(Level::DEBUG), log::log_enabled!(log::Level::Debug))
}

async fn is_of_the_levels_that_the_context_and_the_program_want(case: Case) {
    let captured = Captured::globally();
    let context = case.builder().forward_tracing(LevelFilter::DEBUG).open().unwrap();
    assert_eq!(context.forward_tracing(), LevelFilter::DEBUG);
    assert_eq!(context.run_sync(says_at_all_levels, ()).await.unwrap(), (true, true));
    assert_eq!(captured.messages(), ["1", "2", "3", "4"]);
    // In the worker, what the program does not want costs nothing.
    captured.set_level(LevelFilter::WARN);
    assert_eq!(context.run_sync(says_at_all_levels, ()).await.unwrap(), (false, false));
    assert_eq!(captured.messages()[4..], ["1", "2"]);
    captured.set_level(LevelFilter::INFO);
    assert_eq!(context.run_sync(says_at_all_levels, ()).await.unwrap(), (false, false));
    assert_eq!(captured.messages()[6..], ["1", "2", "3"]);
}

async fn goes_to_the_subscriber_of_its_caller(case: Case) {
    let global = Captured::globally();
    let own = Captured::new();
    let context = forwarding(case);
    let call = context.run_sync(counts_to, 2).into_future();
    tracing::instrument::WithSubscriber::with_subscriber(call, own.subscriber()).await.unwrap();
    assert_eq!(own.messages(), ["0", "1"]);
    assert_eq!(global.messages(), [""; 0]);
}

/// An argument that cannot be sent.
#[derive(Clone, Copy, Deserialize)]
enum Unsendable {
    Refuses,
    Panics,
}

impl Serialize for Unsendable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Refuses => Err(ser::Error::custom("stays here")),
            Self::Panics => panic!("stays here"),
        }
    }
}

async fn holds_no_span_of_a_call_that_could_not_be_sent(case: Case) {
    let captured = Captured::globally();
    let context = forwarding(case);
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    for unsendable in [Unsendable::Refuses, Unsendable::Panics] {
        let call = context.run_sync(|_: Unsendable| (), unsendable).into_future();
        let call = tracing::info_span!("unsent").in_scope(|| AssertUnwindSafe(call).catch_unwind()).await;
        assert!(!matches!(call, Ok(Ok(()))));
    }
    let closed = captured.all().iter().filter(|seen| **seen == Seen::Closed("unsent")).count();
    assert_eq!(closed, 2);
    // Nor is the job after it taken for another.
    assert_eq!(in_span(context.run_sync(counts_to, 1)).await.unwrap(), 1);
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    assert_eq!(captured.events()[0].spans[0], "request");
}

async fn is_the_job_s_own_where_nothing_is_forwarded(case: Case) {
    if case.workers() == offproc_tests::WorkerKind::Fork {
        return; // there, `init` finds that the program has set one
    }
    let captured = Captured::globally();
    fn sets_up_its_own() {
        tracing::subscriber::set_global_default(Captured::new().subscriber()).expect("none is set");
        tracing::info!("to its own");
    }
    for level in [LevelFilter::OFF, LevelFilter::TRACE] {
        let context = case.builder().forward_tracing(level).init(sets_up_its_own).open().unwrap();
        assert_eq!(context.run_sync(counts_to, 3).await.unwrap(), 3);
        context.close().await.unwrap();
    }
    // During `init`, the subscriber that it has set up is not yet its thread's.
    assert_eq!(captured.messages(), ["to its own"]);
}

#[cfg(unix)]
async fn of_a_process_that_a_job_forks_stays_there(case: Case) {
    let captured = Captured::globally();
    let call = forwarding(case).run_sync(
        |()| {
            tracing::info!("from the job");
            job::fork_and(|| tracing::info!("from a fork"));
            rustix::process::wait(rustix::process::WaitOptions::empty()).unwrap();
        },
        (),
    );
    in_span(call).await.unwrap();
    assert_eq!(captured.messages(), ["from the job"]);
    assert_eq!(captured.dropped(), 0);
}

//! What a context does, as metrics of the program's recorder.

use futures::poll;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use offproc::{Limiter, WorkerContext};
use offproc_tests::process::{is_stopped, kill, send};
use offproc_tests::recorder::{Recorded, Value};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, isolated, job, matrix};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::Duration;

matrix!(
    count_calls_by_their_outcome,
    count_starts_and_ends_of_workers,
    show_what_workers_do_and_how_many_calls_wait,
    measure_waits_and_runs,
    go_by_function_where_that_is_asked_for,
    begin_when_there_is_a_recorder,
    are_of_the_recorder_of_their_thread,
    are_the_sum_of_contexts_of_the_same_name,
);

isolated!(are_there_from_the_beginning, of_the_default_context_may_be_looked_at_by_the_recorder);

const NAMES: [&str; 7] = [
    "offproc_calls_total",
    "offproc_worker_starts_total",
    "offproc_worker_ends_total",
    "offproc_queue_length",
    "offproc_workers",
    "offproc_queue_seconds",
    "offproc_run_seconds",
];

/// All there are.
const OUTCOMES: [&str; 14] = [
    "ok",
    "panicked",
    "crashed",
    "timed_out",
    "deadline",
    "cancelled",
    "overloaded",
    "closed",
    "state",
    "encode",
    "decode",
    "spawn",
    "cpu_time",
    "memory",
];

/// The gauges of the context `named`: idle, running, starting, waiting.
fn gauges(recorded: &Recorded) -> [f64; 4] {
    let state = |state: &str| format!("offproc_workers{{context=\"named\",state=\"{state}\"}}");
    let keys = [state("idle"), state("running"), state("starting"), "offproc_queue_length{context=\"named\"}".into()];
    keys.map(|key| recorded.gauge(&key).unwrap_or(0.0))
}

async fn count_calls_by_their_outcome(case: Case) {
    let recorded = Recorded::globally();
    let context = case.builder().name("named").open().unwrap();
    for _ in 0..3 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    context.run_sync(|()| -> () { panic!("as it is to") }, ()).await.unwrap_err();
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    let mut cancelled = context.run_sync(|()| -> () { job::sleep() }, ()).kill_on_cancel(true);
    assert!(poll!(&mut cancelled).is_pending());
    drop(cancelled);
    drop(context.run_sync(job::pid, ()));
    let spin = |_: ()| -> () { job::spin() };
    context.run_sync(spin, ()).timeout(Duration::from_millis(1)).await.unwrap_err();
    context.run_sync(spin, ()).memory_limit(1).await.unwrap_err();
    let calls =
        |outcome: &str| recorded.counter(&format!("offproc_calls_total{{context=\"named\",outcome=\"{outcome}\"}}"));
    context.run_with(|_: &mut u32, ()| (), ()).await.unwrap_err();
    let outcomes = ["ok", "panicked", "crashed", "cancelled", "deadline", "memory", "state"];
    assert_eq!(outcomes.map(calls), [3, 1, 1, 1, 1, 1, 1]);
    context.close().await.unwrap();
    context.run_sync(job::pid, ()).await.unwrap_err();
    let one = Limiter::new(1);
    let permit = one.acquire().await;
    let full = case.builder().name("named").max_queue(0).limiter(&one).open().unwrap();
    full.run_sync(job::pid, ()).await.unwrap_err();
    drop((permit, full));
    let nowhere = case.builder().name("named").current_dir("/nowhere/at/all").open().unwrap();
    nowhere.run_sync(job::pid, ()).await.unwrap_err();
    nowhere.close().await.unwrap();
    assert_eq!(["closed", "overloaded", "spawn"].map(calls), [1, 1, 1]);
    assert_eq!(outcomes.map(calls), [3, 1, 1, 1, 1, 1, 1]);
    offproc::run_sync(job::pid, ()).await.unwrap();
    assert_eq!(recorded.counter("offproc_calls_total{context=\"default\",outcome=\"ok\"}"), 1);
    let unnamed = case.context();
    unnamed.run_sync(job::pid, ()).await.unwrap();
    unnamed.close().await.unwrap();
    assert_eq!(recorded.counter("offproc_calls_total{context=\"\",outcome=\"ok\"}"), 1);
    for name in NAMES {
        let (unit, text) = recorded.description(name).unwrap_or_else(|| panic!("{name} is not described"));
        let expected = if name.ends_with("seconds") { Unit::Seconds } else { Unit::Count };
        assert_eq!(unit, Some(expected));
        assert!(text.ends_with('.'), "{text}");
    }
    for key in recorded.all().keys() {
        assert!(NAMES.contains(&key.split('{').next().unwrap()) && !key.contains("function"), "{key}");
    }
}

async fn count_starts_and_ends_of_workers(case: Case) {
    let recorded = Recorded::globally();
    let starts = || recorded.counter("offproc_worker_starts_total{context=\"named\"}");
    let ends = || {
        ["idle", "retired", "crashed", "killed", "closed"].map(|reason| {
            recorded.counter(&format!("offproc_worker_ends_total{{context=\"named\",reason=\"{reason}\"}}"))
        })
    };
    let context = case.builder().name("named").idle_timeout(Duration::ZERO).open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    until("it has left", || ends() == [1, 0, 0, 0, 0]).await;
    context.close().await.unwrap();
    let context = case.builder().name("named").retire_after_jobs(1..=1).open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    until("it has left", || ends() == [1, 1, 0, 0, 0]).await;
    context.close().await.unwrap();
    let context = case.builder().name("named").open().unwrap();
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    assert_eq!(ends(), [1, 1, 1, 0, 0]);
    kill(context.run_sync(job::pid, ()).await.unwrap());
    until("its death is seen", || ends() == [1, 1, 2, 0, 0]).await;
    let late = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(1));
    late.await.unwrap_err();
    until("its death is seen", || ends() == [1, 1, 2, 1, 0]).await;
    context.run_sync(job::pid, ()).await.unwrap();
    context.close().await.unwrap_err();
    assert_eq!((starts(), ends()), (6, [1, 1, 2, 1, 1]));
}

async fn show_what_workers_do_and_how_many_calls_wait(case: Case) {
    let recorded = Recorded::globally();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let (context, one) = (case.builder().name("named").open().unwrap(), Limiter::new(1));
    let arguments = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut runs = context.run_sync(job::work, arguments).limiter(&one);
    assert!(poll!(&mut runs).is_pending());
    assert_eq!(gauges(&recorded), [0.0, 0.0, 1.0, 0.0]);
    drive_until(&mut runs, arrivals.next()).await;
    let mut waits = context.run_sync(job::pid, ()).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    assert_eq!(gauges(&recorded), [0.0, 1.0, 0.0, 1.0]);
    drop(waits);
    assert_eq!(gauges(&recorded), [0.0, 1.0, 0.0, 0.0]);
    gate.admit_one();
    runs.await.unwrap();
    assert_eq!(gauges(&recorded), [1.0, 0.0, 0.0, 0.0]);
    // Its end is seen without a call.
    kill(context.run_sync(job::pid, ()).await.unwrap());
    until("it is gone", || gauges(&recorded) == [0.0; 4]).await;
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(gauges(&recorded), [1.0, 0.0, 0.0, 0.0]);
    context.close().await.unwrap_err();
    assert_eq!(gauges(&recorded), [0.0; 4]);
    // Dropped without a close.
    let context = case.builder().name("named").open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(gauges(&recorded), [1.0, 0.0, 0.0, 0.0]);
    drop(context);
    assert_eq!(gauges(&recorded), [0.0; 4], "its worker is on its way");
}

async fn measure_waits_and_runs(case: Case) {
    const WHILE: Duration = Duration::from_millis(20);
    let recorded = Recorded::globally();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().name("named").grace_period(Duration::ZERO).open().unwrap();
    let ran = || recorded.histogram("offproc_run_seconds{context=\"named\"}");
    let queued = || recorded.histogram("offproc_queue_seconds{context=\"named\"}");
    context.run_sync(std::thread::sleep, WHILE).await.unwrap();
    assert!(ran().len() == 1 && ran()[0] >= WHILE.as_secs_f64(), "{:?}", ran());
    let one = Limiter::new(1);
    let permit = one.acquire().await;
    let mut waits = context.run_sync(job::pid, ()).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    std::thread::sleep(WHILE);
    drop(permit);
    waits.await.unwrap();
    assert!(queued().len() == 2 && queued()[1] >= WHILE.as_secs_f64(), "{:?}", queued());
    // Once for each run, and not for a worker that has died before it took the job.
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    send(pid, Signal::STOP);
    until("it is stopped", || is_stopped(pid)).await;
    let mut moves = context.run_sync(job::pid, ());
    assert!(poll!(&mut moves).is_pending());
    kill(pid);
    match moves.await {
        Ok(other) => assert_ne!(other, pid),
        // Where nothing says whether it has run, it counts as a run.
        Err(error) => assert!(cfg!(offproc_portable) && error.is_crash(), "{error}"),
    }
    assert_eq!((ran().len(), queued().len()), (4, 4));
    // However it ends: by a death, a kill, a limit, and abandoned, where it ends later than its call.
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    context.run_sync(|()| -> () { job::spin() }, ()).time_limit(WHILE).await.unwrap_err();
    assert_eq!(ran().len(), 6);
    let mut killed = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    drive_until(&mut killed, arrivals.next()).await;
    drop(killed);
    assert_eq!(ran().len(), 7);
    let mut abandoned = context.run_sync(job::arrive_and_spin, arrivals.ticket());
    drive_until(&mut abandoned, arrivals.next()).await;
    drop(abandoned);
    assert_eq!(ran().len(), 7);
    // And not where it does not begin.
    let permit = one.acquire().await;
    let mut waits = context.run_sync(job::pid, ()).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    drop((waits, permit));
    context.close().await.unwrap_err();
    assert_eq!((ran().len(), queued().len()), (8, 9));
}

async fn go_by_function_where_that_is_asked_for(case: Case) {
    let recorded = Recorded::globally();
    let context = case.builder().name("named").metrics_by_function(true).open().unwrap();
    for _ in 0..2 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    context.close().await.unwrap();
    let all = recorded.all();
    let of = |name: &str| {
        let found = all.iter().find(|(key, _)| key.starts_with(name)).expect(name);
        assert!(found.0.contains("function=\"offproc_tests::job::pid\""), "{}", found.0);
        found.1
    };
    assert_eq!(*of("offproc_calls_total"), Value::Counter(2));
    for name in ["offproc_queue_seconds", "offproc_run_seconds"] {
        assert!(matches!(of(name), Value::Histogram(values) if values.len() == 2));
    }
}

/// What there is of a context in which nothing has happened.
fn of_nothing(context: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, label: &str, values: &[&str], nothing: Value| {
        for value in values {
            let label = if label.is_empty() { String::new() } else { format!(",{label}=\"{value}\"") };
            all.insert(format!("{name}{{context=\"{context}\"{label}}}"), nothing.clone());
        }
    };
    add("offproc_calls_total", "outcome", &OUTCOMES, Value::Counter(0));
    add("offproc_worker_starts_total", "", &[""], Value::Counter(0));
    add("offproc_worker_ends_total", "reason", &["idle", "retired", "crashed", "killed", "closed"], Value::Counter(0));
    add("offproc_queue_length", "", &[""], Value::Gauge(0.0));
    add("offproc_workers", "state", &["idle", "running", "starting"], Value::Gauge(0.0));
    add("offproc_queue_seconds", "", &[""], Value::Histogram(Vec::new()));
    add("offproc_run_seconds", "", &[""], Value::Histogram(Vec::new()));
    all
}

/// As 0: an alert on what has never happened, or on how often it did, needs it to be there.
fn are_there_from_the_beginning() {
    let recorded = Recorded::globally();
    let context = WorkerContext::builder().name("named").open().unwrap();
    let mut expected = of_nothing("named");
    assert_eq!(recorded.all(), expected);
    // Of calls that go by function there is nothing before there is a function.
    let by_function = WorkerContext::builder().name("other").metrics_by_function(true).open().unwrap();
    let of_workers = of_nothing("other").into_iter().filter(|(key, _)| key.starts_with("offproc_worker"));
    expected.extend(of_workers.chain([("offproc_queue_length{context=\"other\"}".to_owned(), Value::Gauge(0.0))]));
    assert_eq!(recorded.all(), expected);
    // The next one of the same name has others.
    let by_outcome = WorkerContext::builder().name("other").open().unwrap();
    expected.extend(of_nothing("other"));
    assert_eq!(recorded.all(), expected);
    for context in [context, by_function, by_outcome] {
        context.close().wait().unwrap();
    }
    assert_eq!(recorded.all(), expected);
    // The default context begins with the first look at it.
    assert_eq!(offproc::default_context_statistics().calls, 0);
    expected.extend(of_nothing("default"));
    assert_eq!(recorded.all(), expected);
    let own = Recorded::default();
    metrics::with_local_recorder(&own, || WorkerContext::builder().open().unwrap().close().wait().unwrap());
    assert_eq!(own.all(), of_nothing(""));
    // The background thread looks which recorder is the global one, and gives it what is there then.
    let others = recorded.all().into_iter().filter(|(key, _)| !key.contains("context=\"\""));
    assert_eq!(others.collect::<BTreeMap<_, _>>(), expected);
}

/// A recorder that looks at the default context whenever a gauge is made, which is when that context opens.
struct Curious(Recorded);

impl Recorder for Curious {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        assert_eq!(offproc::default_context_statistics().calls, 0);
        self.0.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(key, metadata)
    }
}

fn of_the_default_context_may_be_looked_at_by_the_recorder() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&Curious(recorded.clone()), || {
        assert_eq!(offproc::default_context_statistics().calls, 0);
    });
    assert_eq!(recorded.all(), of_nothing("default"));
}

async fn begin_when_there_is_a_recorder(case: Case) {
    let context = case.builder().name("named").open().unwrap();
    let quiet = case.builder().name("quiet").open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    quiet.run_sync(job::pid, ()).await.unwrap();
    let recorded = Recorded::globally();
    context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(recorded.counter("offproc_calls_total{context=\"named\",outcome=\"ok\"}"), 1);
    assert_eq!(gauges(&recorded), [1.0, 0.0, 0.0, 0.0], "what was there before");
    // Until its handles are kept, and after.
    for _ in 0..100 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    assert_eq!(recorded.counter("offproc_calls_total{context=\"named\",outcome=\"ok\"}"), 101);
    // All the others are there, too, also of a context in which nothing happens.
    let expected: Vec<_> = ["named", "quiet"].map(of_nothing).into_iter().flatten().map(|(key, _)| key).collect();
    until("they are there", || expected.iter().all(|key| recorded.all().contains_key(key))).await;
    assert_eq!(recorded.gauge("offproc_workers{context=\"quiet\",state=\"idle\"}"), Some(1.0));
    for context in [context, quiet] {
        context.close().await.unwrap();
    }
    assert_eq!(gauges(&recorded), [0.0; 4]);
}

async fn are_of_the_recorder_of_their_thread(case: Case) {
    let global = Recorded::globally();
    let context = case.builder().name("named").open().unwrap();
    let calls = |recorded: &Recorded| recorded.counter("offproc_calls_total{context=\"named\",outcome=\"ok\"}");
    let call = || context.run_sync(job::pid, ()).wait().unwrap();
    for count in 1..=3 {
        call();
        let own = Box::new(Recorded::default());
        metrics::with_local_recorder(&*own, call);
        assert_eq!((calls(&own), calls(&global)), (1, count));
    }
    context.close().await.unwrap();
}

async fn are_the_sum_of_contexts_of_the_same_name(case: Case) {
    let recorded = Recorded::globally();
    let contexts = [0, 1].map(|_| case.builder().name("named").open().unwrap());
    for context in &contexts {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    assert_eq!(gauges(&recorded), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(recorded.counter("offproc_worker_starts_total{context=\"named\"}"), 2);
    let [first, second] = contexts;
    first.close().await.unwrap();
    assert_eq!(gauges(&recorded), [1.0, 0.0, 0.0, 0.0]);
    second.close().await.unwrap();
    assert_eq!(gauges(&recorded), [0.0; 4]);
}

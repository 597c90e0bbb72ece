//! Subscribers that panic, block, or make calls of their own: no call hangs or is lost, and all is counted.

use offproc::{Error, run_sync};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::spans::Spans;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

matrix!(
    that_panic_harm_no_call,
    that_panic_here_and_there_harm_no_call,
    that_panic_about_the_caller_s_span_harm_no_call,
    that_block_harm_no_call,
    may_make_calls,
);

/// Panics wherever it can, or only in one place.
struct Panics {
    in_new_span: bool,
    asked: Arc<AtomicUsize>,
}

const PANIC: &str = "in a subscriber";

impl Panics {
    fn panic(&self) -> ! {
        self.asked.fetch_add(1, Ordering::Relaxed);
        std::panic::panic_any(PANIC)
    }
}

impl Subscriber for Panics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "offproc"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        if self.in_new_span { self.panic() } else { Id::from_u64(1) }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        self.panic();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.panic();
    }

    fn enter(&self, _: &Id) {
        self.panic();
    }

    fn exit(&self, _: &Id) {
        self.panic();
    }

    fn try_close(&self, _: Id) -> bool {
        self.panic();
    }
}

async fn survive(case: Case, in_new_span: bool) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(PANIC) {
            hook(panic);
        }
    }));
    let asked = Arc::new(AtomicUsize::new(0));
    tracing::subscriber::set_global_default(Panics { in_new_span, asked: Arc::clone(&asked) }).unwrap();
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    assert_eq!(context.run_sync(|n: u8| n + 1, 1).await.unwrap(), 2);
    assert!(matches!(context.run_sync(job::end_at_once, 1).await, Err(Error::BrokenWorker(_))));
    let mut dropped = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
    drive_until(&mut dropped, arrivals.next()).await;
    drop(dropped);
    let late = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Error::TimedOut)));
    context.close().await.unwrap();
    let now = context.statistics();
    assert_eq!([now.calls, now.timed_out, now.started, now.crashed, now.killed], [4, 1, 3, 1, 2], "{now:?}");
    assert!(asked.load(Ordering::Relaxed) > 4);
}

async fn that_panic_harm_no_call(case: Case) {
    survive(case, false).await;
}

async fn that_panic_here_and_there_harm_no_call(case: Case) {
    survive(case, true).await;
}

/// Has a current span, and panics when it ends; once told to, also when it is asked for it.
#[derive(Default)]
struct PanicsOfCurrent(Arc<AtomicBool>);

impl Subscriber for PanicsOfCurrent {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(2)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn current_span(&self) -> Current {
        if self.0.load(Ordering::SeqCst) {
            std::panic::panic_any(PANIC);
        }
        static METADATA: LazyLock<&Metadata<'static>> =
            LazyLock::new(|| tracing::info_span!("caller").metadata().unwrap());
        Current::new(Id::from_u64(1), *METADATA)
    }

    fn try_close(&self, id: Id) -> bool {
        if id == Id::from_u64(1) {
            std::panic::panic_any(PANIC);
        }
        true
    }
}

async fn that_panic_about_the_caller_s_span_harm_no_call(case: Case) {
    let panics_when_asked = Arc::new(AtomicBool::new(false));
    tracing::subscriber::set_global_default(PanicsOfCurrent(Arc::clone(&panics_when_asked))).unwrap();
    let context = case.builder().forward_tracing(LevelFilter::TRACE).open().unwrap();
    drop(context.run_sync(job::pid, ()));
    assert_eq!(context.run_sync(|n: u8| n + 1, 1).await.unwrap(), 2);
    panics_when_asked.store(true, Ordering::SeqCst);
    assert_eq!(context.run_sync(|n: u8| n + 1, 1).await.unwrap(), 2);
    context.close().await.unwrap();
}

async fn that_block_harm_no_call(case: Case) {
    let released = Arc::new((Mutex::new(false), Condvar::new()));
    let (gate, blocks) = (Arc::clone(&released), Arc::new(AtomicBool::new(false)));
    let is_in = Arc::clone(&blocks);
    let spans = Spans::globally_with(move |event| {
        if event.message == "worker killed" {
            is_in.store(true, Ordering::SeqCst);
            let open = gate.0.lock().unwrap();
            drop(gate.1.wait_while(open, |open| !*open).unwrap());
        }
    });
    let context = case.context();
    let spin = |_: ()| -> () { job::spin() };
    let late = context.run_sync(spin, ()).time_limit(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Error::TimedOut)));
    until("the subscriber blocks", || blocks.load(Ordering::SeqCst)).await;
    // Starts, timers, kills and a close go on.
    context.run_sync(job::pid, ()).await.unwrap();
    let late = context.run_sync(spin, ()).time_limit(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(Error::TimedOut)));
    context.close().await.unwrap();
    assert_eq!(context.statistics().killed, 2);
    assert_eq!(spans.events_of("worker killed").len(), 0);
    *released.0.lock().unwrap() = true;
    released.1.notify_all();
    until("the subscriber has what waited", || spans.events_of("worker killed").len() == 2).await;
}

thread_local! {
    static CALLS: Cell<bool> = const { Cell::new(false) };
}

async fn may_make_calls(case: Case) {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let spans = Spans::globally_with(move |event| {
        // Those of its own calls are events, too.
        if event.fields.get("context").is_some_and(|name| name == "named") && !CALLS.replace(true) {
            run_sync(job::pid, ()).wait().unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            CALLS.set(false);
        }
    });
    let context = case.builder().name("named").open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    context.run_sync(job::end_at_once, 1).await.unwrap_err();
    context.run_sync(job::pid, ()).await.unwrap();
    context.close().await.unwrap();
    until("the subscriber has made its calls", || made.load(Ordering::SeqCst) == 4).await;
    until("and kept", || spans.events().iter().filter(|event| event.fields["context"] == "named").count() == 4).await;
}

//! Forwarding does no harm: with subscribers that block, panic or make calls, jobs that log very much, and workers that
//! write nonsense, no call hangs, and nothing is lost without a count.

use futures::poll;
use offproc::{Error, RunSync, WorkerContext, WorkerContextBuilder, run_sync};
use offproc_tests::captured::{Captured, Seen};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{blocking_until, drive_until};
use offproc_tests::{hostile, isolated, job};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use tracing::level_filters::LevelFilter;

isolated!(
    a_subscriber_that_blocks_holds_up_no_call,
    a_subscriber_that_blocks_holds_up_no_abandoned_job_and_no_timer,
    a_deadline_that_passes_while_a_subscriber_blocks_costs_no_result,
    a_deadline_that_passes_while_a_subscriber_blocks_costs_no_worker,
    a_subscriber_that_panics_costs_what_it_panics_of,
    a_subscriber_that_makes_calls_gets_results,
    a_subscriber_that_logs_itself_is_told_of_both,
    a_job_with_many_threads_keeps_the_order_of_each,
    a_long_message_is_cut,
    a_hundred_thousand_events_arrive,
    a_worker_that_writes_nonsense_is_counted_once,
    a_worker_that_dies_in_the_middle_of_a_record_is_counted,
    a_worker_that_makes_its_pipe_larger_is_read_to_the_end,
    places_without_end_share_a_callsite,
);

fn forwarding() -> WorkerContextBuilder {
    WorkerContext::builder().forward_tracing(LevelFilter::TRACE)
}

/// Where a subscriber waits until it is opened.
static OPEN: Mutex<bool> = Mutex::new(false);
static OPENED: Condvar = Condvar::new();
static IS_BLOCKED: AtomicBool = AtomicBool::new(false);

fn block() {
    IS_BLOCKED.store(true, Ordering::SeqCst);
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    drop(OPENED.wait_while(open, |open| !*open));
}

fn open() {
    *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = true;
    OPENED.notify_all();
}

fn a_subscriber_that_blocks_holds_up_no_call() {
    const MANY: u64 = 5000;
    let captured = Captured::globally_with(|said| {
        if said.message == "block" {
            block();
        }
    });
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = forwarding().open().unwrap();
    let call = context.run_sync(
        |(ticket, gate): (String, String)| {
            arrive(&ticket);
            tracing::info!("block");
            if pass(&gate) {
                (0..MANY).for_each(|n| tracing::info!("{n:0100}"));
            }
        },
        (arrivals.ticket(), gate.ticket()),
    );
    let mut call = call.into_future();
    smol::block_on(drive_until(&mut call, arrivals.next()));
    // The call is not polled, so the other thread is the one that blocks.
    blocking_until(|| IS_BLOCKED.load(Ordering::SeqCst), || "the subscriber is not called".to_owned());
    gate.admit_one();
    call.wait().unwrap();
    assert_eq!(captured.messages(), [""; 0]);
    // Nor does it hold up the calls of others, or the end of the context.
    let other = forwarding().open().unwrap();
    assert_ne!(other.run_sync(job::pid, ()).wait().unwrap(), 0);
    other.close().wait().unwrap();
    context.close().wait().unwrap();
    open();
    let all = || captured.events().len() as u64 + captured.dropped();
    blocking_until(|| all() == MANY + 1, || format!("{} of {} have come or are counted", all(), MANY + 1));
    assert!(captured.dropped() > 0, "more than a pipe holds");
}

fn a_subscriber_that_blocks_holds_up_no_abandoned_job_and_no_timer() {
    let captured = Captured::globally_with(|said| {
        if said.message == "block" {
            block();
        }
    });
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let [first_gate, gate] = ["first gate", "gate"].map(|name| Gate::new(&scratch, name));
    let context = forwarding().open().unwrap();
    let begin = |gate: &Gate| {
        let job = |(ticket, gate): (String, String)| {
            arrive(&ticket);
            if pass(&gate) {
                tracing::info!("block");
            }
        };
        let mut call = context.run_sync(job, (arrivals.ticket(), gate.ticket())).into_future();
        smol::block_on(drive_until(&mut call, arrivals.next()));
        call
    };
    // The first is not polled, so the thread for logs blocks. What the abandoned one logs is then left to the thread
    // that waits for its end.
    let (first, abandoned) = (begin(&first_gate), begin(&gate));
    first_gate.admit_one();
    blocking_until(|| IS_BLOCKED.load(Ordering::SeqCst), || "the subscriber is not called".to_owned());
    drop(abandoned);
    gate.admit_one();
    blocking_until(|| context.statistics().abandoned_jobs == 0, || "the background thread blocks".to_owned());
    let late = run_sync(|()| -> () { job::spin() }, ()).timeout(Duration::from_millis(50)).wait();
    assert!(matches!(late, Err(Error::DeadlineExceeded(_))), "{late:?}");
    open();
    first.wait().unwrap();
    context.close().wait().unwrap();
    assert_eq!((captured.messages(), captured.dropped()), (vec!["block".to_owned(); 2], 0));
}

/// Less than a call waits for a subscriber, and much longer than a job that does nothing takes.
const TIMEOUT: Duration = Duration::from_millis(900);

/// A call that has been polled once, and whose job is over but for its log, in which the subscriber blocks.
fn delivering(context: &WorkerContext) -> RunSync<String, bool> {
    let (scratch, says_block) = (Scratch::new(), |gate: String| {
        let passes = pass(&gate);
        tracing::info!("block");
        passes
    });
    let gate = Gate::new(&scratch, "gate");
    context.run_sync(job::pid, ()).wait().unwrap();
    let mut call = context.run_sync(says_block, gate.ticket()).timeout(TIMEOUT);
    assert!(smol::block_on(async { poll!(&mut call) }).is_pending());
    gate.admit_one();
    blocking_until(|| IS_BLOCKED.load(Ordering::SeqCst), || "the subscriber is not called".to_owned());
    call
}

fn blocking() -> Captured {
    Captured::globally_with(|said| {
        if said.message == "block" {
            block();
        }
    })
}

fn a_deadline_that_passes_while_a_subscriber_blocks_costs_no_result() {
    let captured = blocking();
    let context = forwarding().open().unwrap();
    let call = delivering(&context);
    // Its next poll finds both: the deadline has passed, and the result is there.
    std::thread::sleep(TIMEOUT);
    assert!(call.wait().unwrap());
    assert_eq!(captured.messages(), [""; 0]);
    assert_eq!((context.statistics().timed_out, context.statistics().idle_workers), (0, 1));
    open();
    context.close().wait().unwrap();
    assert_eq!((captured.messages(), captured.dropped()), (vec!["block".to_owned()], 0));
    assert_eq!(context.statistics().killed, 0);
}

fn a_deadline_that_passes_while_a_subscriber_blocks_costs_no_worker() {
    let captured = blocking();
    let context = forwarding().open().unwrap();
    drop(delivering(&context));
    blocking_until(|| context.statistics().abandoned_jobs == 0, || "the job is not over".to_owned());
    open();
    context.close().wait().unwrap();
    assert_eq!((captured.messages(), captured.dropped()), (vec!["block".to_owned()], 0));
    assert_eq!((context.statistics().started, context.statistics().killed), (1, 0));
}

fn a_subscriber_that_panics_costs_what_it_panics_of() {
    static PANICS: AtomicU64 = AtomicU64::new(0);
    let captured = Captured::globally_with(|said| {
        let is_bad = said.message.ends_with('7');
        // It also panics once for the event that reports the dropped ones.
        if is_bad || (said.target == "offproc" && PANICS.fetch_add(1, Ordering::SeqCst) == 0) {
            std::panic::panic_any("a subscriber's own");
        }
    });
    std::panic::set_hook(Box::new(|_| {}));
    let context = forwarding().open().unwrap();
    context.run_sync(|()| (0..10).for_each(|n| tracing::info!("{n}")), ()).wait().unwrap();
    context.run_sync(|()| (10..20).for_each(|n| tracing::info!("{n}")), ()).wait().unwrap();
    context.close().wait().unwrap();
    let expected: Vec<_> = (0..20).filter(|n| n % 10 != 7).map(|n| n.to_string()).collect();
    assert_eq!(captured.messages(), expected);
    assert_eq!(captured.dropped(), 2);
}

fn a_subscriber_that_makes_calls_gets_results() {
    let captured = Captured::globally_with(|said| {
        if said.target != "offproc" {
            assert_eq!(run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
        }
    });
    // A start may take longer than a job waits for its log.
    run_sync(job::pid, ()).wait().unwrap();
    let context = forwarding().open().unwrap();
    context.run_sync(|()| (0..10).for_each(|n| tracing::info!("{n}")), ()).wait().unwrap();
    assert_eq!(captured.messages().len(), 10);
}

fn a_subscriber_that_logs_itself_is_told_of_both() {
    let captured = Captured::globally_with(|said| {
        if said.target != "own" {
            tracing::info!(target: "own", "{}", said.message);
        }
    });
    let context = forwarding().open().unwrap();
    // For some of these calls, the thread for logs calls the subscriber.
    for n in 0..100 {
        context.run_sync(|n| tracing::info!("{n}"), n).wait().unwrap();
    }
    context.close().wait().unwrap();
    // Apart from the events of the worker, which no job says.
    let all: Vec<_> = captured.events().into_iter().filter(|said| !said.message.starts_with("worker ")).collect();
    assert!(all.iter().all(|said| said.spans == ["offproc.call"]), "{all:?}");
    let messages: Vec<_> = all.into_iter().map(|said| said.message).collect();
    let twice: Vec<_> = (0..100).flat_map(|n| [n.to_string(), n.to_string()]).collect();
    assert_eq!((messages, captured.dropped()), (twice, 0));
}

fn a_job_with_many_threads_keeps_the_order_of_each() {
    const THREADS: u64 = 8;
    const EACH: u64 = 2000;
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    let job = |()| {
        let threads =
            (0..THREADS).map(|thread| std::thread::spawn(move || (0..EACH).for_each(|n| tracing::info!(thread, n))));
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    };
    context.run_sync(job, ()).wait().unwrap();
    let mut next = [0; THREADS as usize];
    for said in captured.events() {
        let number = |name| said.fields[name].strip_prefix("u64 ").unwrap().parse::<u64>().unwrap();
        let next = &mut next[number("thread") as usize];
        assert_eq!(number("n"), *next);
        *next += 1;
    }
    assert_eq!(next.iter().sum::<u64>() + captured.dropped(), THREADS * EACH);
    assert_eq!(next, [EACH; THREADS as usize]);
}

fn a_long_message_is_cut() {
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    let job = |length: usize| tracing::info!(more = 1_u64, "{}", "é".repeat(length));
    for length in [20_000, 1_000_000] {
        context.run_sync(job, length).wait().unwrap();
    }
    let [whole, cut] = &captured.events()[..] else { panic!("two events: {captured:?}") };
    assert_eq!(whole.message, "é".repeat(20_000));
    assert!(cut.message.len() > 40_000 && cut.message.ends_with("é…"), "{} bytes", cut.message.len());
    assert_eq!(cut.fields["more"], "u64 1");
    assert_eq!(captured.dropped(), 0);
}

fn a_hundred_thousand_events_arrive() {
    const MANY: usize = 100_000;
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    context.run_sync(|()| (0..MANY).for_each(|n| tracing::info!("{n}")), ()).wait().unwrap();
    let expected = (0..MANY).map(|n| n.to_string());
    assert!(captured.messages().into_iter().eq(expected), "{} of them", captured.events().len());
    assert_eq!(captured.dropped(), 0);
}

/// Writes to the log's pipe in offproc's place.
fn write(bytes: &[u8]) {
    rustix::io::write(hostile::log_pipe(), bytes).unwrap();
}

fn a_worker_that_writes_nonsense_is_counted_once() {
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    let nonsense = |bytes: Vec<u8>| {
        tracing::info!("before");
        write(&bytes);
        tracing::info!("after");
        std::process::id()
    };
    let mut expected = Vec::new();
    // Of records that are none, the next one is found.
    let [empty, short, no_event] =
        [vec![0; 8], vec![1, 0, 0, 0, 0, 0, 0, 0, 9], vec![5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 255]];
    for bytes in [empty, short, no_event] {
        let before = captured.dropped();
        context.run_sync(nonsense, bytes).wait().unwrap();
        expected.extend(["before", "after"]);
        assert_eq!(
            (captured.messages(), captured.dropped() - before),
            (expected.iter().map(|s| s.to_string()).collect(), 1)
        );
    }
    // If the end of a record is unknown, no further record is found.
    let pid = context.run_sync(nonsense, vec![0xff; 64]).wait().unwrap();
    expected.push("before");
    assert_eq!((captured.messages().len(), captured.dropped()), (expected.len(), 4));
    // Its jobs are as any.
    assert_eq!(context.run_sync(nonsense, vec![]).wait().unwrap(), pid);
    assert_eq!(captured.messages().len(), expected.len());
}

fn a_worker_that_dies_in_the_middle_of_a_record_is_counted() {
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    let dies = |()| -> () {
        tracing::info!("before");
        write(&[100, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3]);
        job::end_at_once(1);
    };
    assert!(matches!(context.run_sync(dies, ()).wait(), Err(Error::BrokenWorker(_))));
    let _ = context.close().wait();
    assert_eq!((captured.messages(), captured.dropped()), (vec!["before".to_owned()], 1));
}

fn a_worker_that_makes_its_pipe_larger_is_read_to_the_end() {
    let captured = Captured::globally_with(|said| {
        if said.message == "block" {
            block();
        }
    });
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = forwarding().open().unwrap();
    let job = |ticket: String| -> () {
        rustix::pipe::fcntl_setpipe_size(hostile::log_pipe(), 1 << 20).unwrap();
        tracing::info!("block");
        (0..3000).for_each(|n| tracing::info!("{n:0100}"));
        arrive(&ticket);
        job::end_at_once(1);
    };
    let mut call = context.run_sync(job, arrivals.ticket()).into_future();
    smol::block_on(drive_until(&mut call, arrivals.next()));
    open();
    assert!(matches!(call.wait(), Err(Error::BrokenWorker(_))));
    let _ = context.close().wait();
    assert_eq!((captured.messages().len(), captured.dropped()), (3001, 0));
}

fn places_without_end_share_a_callsite() {
    let captured = Captured::globally();
    let context = forwarding().open().unwrap();
    let many = |()| {
        for n in 0..6000 {
            let target = format!("target {n}");
            log::info!(target: &target, "from {n}");
        }
    };
    context.run_sync(many, ()).wait().unwrap();
    let is_from_job = |seen: &Seen| matches!(seen, Seen::Event(said) if said.message.starts_with("from "));
    let all: Vec<_> = captured.all().into_iter().filter(is_from_job).collect();
    assert_eq!((all.len(), captured.dropped()), (6000, 0));
    let own = captured.events();
    assert!((2000..6000).contains(&own.len()), "{} have a callsite of their own", own.len());
    for (n, said) in own.iter().enumerate() {
        assert_eq!((said.target.as_str(), said.message.as_str()), (&*format!("target {n}"), &*format!("from {n}")));
    }
    let Seen::Event(last) = &all[5999] else { panic!("an event") };
    assert_eq!((last.target.as_str(), last.message.as_str()), ("offproc", "from 5999"));
    assert_eq!(last.fields["event.target"], "str target 5999");
    assert!(last.fields["event.file"].ends_with(file!()), "{last:?}");
}

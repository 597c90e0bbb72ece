//! A worker that dies with a job costs that one call, whose error says how it ended, and is replaced.

#[cfg(unix)]
use futures::future::join;
use offproc::{BrokenWorkerError, Error, Transport, WorkerContext};
use offproc_tests::rendezvous::{Arrivals, Gate};
#[cfg(unix)]
use offproc_tests::rendezvous::{arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, job, matrix};
use std::time::Duration;

matrix!(
    reports_exit_codes,
    takes_an_exit_without_a_result_for_broken,
    costs_no_other_call,
    is_reported_once,
    took_some_time,
);
// They name signals, and fork.
#[cfg(unix)]
matrix!(reports_signals_by_name, is_seen_although_a_grandchild_holds_the_connection);
#[cfg(windows)]
matrix!(reports_faults_by_name);

async fn end_of<A>(context: &WorkerContext, f: fn(A), argument: A) -> BrokenWorkerError
where
    A: serde::Serialize + serde::de::DeserializeOwned,
{
    let before = context.run_sync(job::pid, ()).await.unwrap();
    let end = match context.run_sync(f, argument).await {
        Err(Error::BrokenWorker(end)) => end,
        other => panic!("not a broken worker: {other:?}"),
    };
    assert_eq!(end.pid(), before);
    assert_ne!(context.run_sync(job::pid, ()).await.unwrap(), before, "the next call has another worker");
    end
}

async fn took_some_time(case: Case) {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let context = case.builder().transport(transport).open().unwrap();
        for _ in 0..10 {
            let end = match context.run_sync(job::end_at_once, 3).await {
                Err(Error::BrokenWorker(end)) => end,
                other => panic!("not a broken worker: {other:?}"),
            };
            assert!(end.ran_for().is_some_and(|time| time > Duration::ZERO), "{end}");
        }
        context.close().await.unwrap();
    }
}

async fn reports_exit_codes(case: Case) {
    let context = case.context();
    let end = end_of(&context, job::end_at_once, 42).await;
    assert_eq!(end.exit_status().and_then(|status| status.code()), Some(42));
    assert!(end.to_string().contains("exited with code 42"), "{end}");
    context.close().await.unwrap();
}

#[cfg(windows)]
async fn reports_faults_by_name(case: Case) {
    let context = case.context();
    // SAFETY: none; nothing is mapped there.
    let end = end_of(&context, |()| unsafe { (0x10 as *mut u8).write_volatile(1) }, ()).await;
    assert!(end.to_string().contains("was ended by an access violation (0xc0000005)"), "{end}");
    let end = end_of(&context, |()| std::process::abort(), ()).await;
    assert!(end.to_string().contains("(0xc0000409)"), "{end}");
    context.close().await.unwrap();
}

#[cfg(unix)]
async fn reports_signals_by_name(case: Case) {
    use std::os::unix::process::ExitStatusExt;
    let context = case.context();
    for (signal, name) in [(libc::SIGKILL, "SIGKILL"), (libc::SIGSEGV, "SIGSEGV"), (libc::SIGTERM, "SIGTERM")] {
        let end = end_of(&context, job::raise, signal).await;
        assert_eq!(end.exit_status().and_then(|status| status.signal()), Some(signal));
        assert!(end.to_string().contains(&format!("killed by {name}")), "{end}");
    }
    let end = end_of(&context, |()| std::process::abort(), ()).await;
    assert!(end.to_string().contains("killed by SIGABRT"), "{end}");
    context.close().await.unwrap();
}

async fn takes_an_exit_without_a_result_for_broken(case: Case) {
    let context = case.context();
    let end = end_of(&context, |()| std::process::exit(0), ()).await;
    assert_eq!(end.exit_status().and_then(|status| status.code()), Some(0));
    context.close().await.unwrap();
}

async fn costs_no_other_call(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, trace) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.context();
    let mut other = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), trace)).into_future();
    drive_until(&mut other, arrivals.next()).await;
    end_of(&context, job::die, ()).await;
    gate.admit_one();
    other.await.unwrap();
    context.close().await.unwrap();
}

#[cfg(unix)]
async fn is_seen_although_a_grandchild_holds_the_connection(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let die = |(ticket, gate): (String, String)| {
        fork_a_child_that_waits(&ticket, &gate);
        job::end_at_once(7);
    };
    let (end, _child) = join(end_of(&context, die, (arrivals.ticket(), gate.ticket())), arrivals.next()).await;
    assert!(end.to_string().contains("exited with code 7"), "{end}");
    // Nor does one keep a context from closing.
    let live = |(ticket, gate): (String, String)| fork_a_child_that_waits(&ticket, &gate);
    context.run_sync(live, (arrivals.ticket(), gate.ticket())).await.unwrap();
    arrivals.next().await;
    context.close().await.unwrap();
    gate.admit_one();
    gate.admit_one();
}

#[cfg(unix)]
/// A plain fork: the child has every descriptor that the worker has.
fn fork_a_child_that_waits(ticket: &str, gate: &str) {
    job::fork_and(|| {
        arrive(ticket);
        let _ = pass(gate);
    });
}

async fn is_reported_once(case: Case) {
    let context = case.context();
    end_of(&context, job::end_at_once, 1).await;
    // The caller has the error; `close` does not report it again.
    context.close().await.unwrap();
}

//! The end of a context: jobs are waited for, workers leave and are reaped, what did not end cleanly is named.

use futures::future::join;
use futures::poll;
use offproc::{Error, Limiter};
use offproc_tests::process::{Family, has_ended, is_reaped, must_end};
use offproc_tests::rendezvous::{Arrivals, Gate, pass};
#[cfg(unix)]
use offproc_tests::scratch::append;
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::pin::pin;
use std::time::Duration;

matrix!(
    waits_for_a_running_job,
    waits_for_an_abandoned_job,
    refuses_calls_from_then_on,
    leaves_no_worker,
    goes_on_when_its_future_is_dropped,
    comes_by_itself_with_the_last_handle,
    kills_an_abandoned_job_after_the_grace_period,
    names_a_worker_that_died_between_its_answer_and_the_look_at_it,
);
#[cfg(unix)]
matrix!(except fork:
    lets_workers_do_their_work_at_exit,
    kills_a_worker_that_does_not_leave_after_the_grace_period,
);

async fn waits_for_a_running_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.builder().grace_period(Duration::ZERO).open().unwrap();
    let mut call = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    let mut closing = pin!(context.close());
    assert!(poll!(closing.as_mut()).is_pending());
    assert!(matches!(context.run_sync(|()| (), ()).await, Err(Error::Closed)));
    assert!(poll!(closing.as_mut()).is_pending());
    gate.admit_one();
    let (call, _closed) = join(call, closing).await;
    call.unwrap();
    assert_eq!(trace(&path), "done\n");
}

async fn waits_for_an_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.context();
    let mut call = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    let mut closing = pin!(context.close());
    assert!(poll!(closing.as_mut()).is_pending());
    gate.admit_one();
    closing.await.unwrap();
    assert_eq!(trace(&path), "done\n");
}

async fn refuses_calls_from_then_on(case: Case) {
    let context = case.context();
    context.run_sync(|()| (), ()).await.unwrap();
    let copy = context.clone();
    let made_before = context.run_sync(|()| (), ());
    context.close().await.unwrap();
    assert!(matches!(made_before.await, Err(Error::Closed)));
    assert!(matches!(copy.run_sync(|()| (), ()).await, Err(Error::Closed)));
    copy.close().await.unwrap();
    // One without workers closes as well.
    case.context().close().await.unwrap();
}

async fn leaves_no_worker(case: Case) {
    let context = case.context();
    let four = Limiter::new(4);
    let calls = (0..4).map(|_| async { context.run_sync(job::pid, ()).limiter(&four).await.unwrap() });
    let pids = futures::future::join_all(calls).await;
    context.close().await.unwrap();
    assert!(Family::now().is_empty(), "all are reaped");
    assert!(pids.into_iter().all(has_ended));
}

async fn goes_on_when_its_future_is_dropped(case: Case) {
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    {
        let mut closing = pin!(context.close());
        // It may even be done.
        let _ = poll!(closing.as_mut());
    }
    must_end(pid);
    assert!(matches!(context.run_sync(|()| (), ()).await, Err(Error::Closed)));
}

async fn comes_by_itself_with_the_last_handle(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.context();
    let copy = context.clone();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    drop(context);
    assert_eq!(copy.run_sync(job::pid, ()).await.unwrap(), pid);
    // A call keeps what it needs.
    let mut call = copy.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    drop(copy);
    gate.admit_one();
    call.await.unwrap();
    assert_eq!(trace(&path), "done\n");
    until("no process is left", || Family::now().is_empty()).await;
}

#[cfg(unix)]
/// Has something done when the worker exits; it finds its file in the working directory.
fn note_at_exit() {
    extern "C" fn note() {
        append("trace", "bye");
    }
    // SAFETY: `note` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(note) }, 0);
}

#[cfg(unix)]
async fn lets_workers_do_their_work_at_exit(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let context = case.builder().init(note_at_exit).open().unwrap();
    context.run_sync(|()| (), ()).await.unwrap();
    assert_eq!(trace("trace"), "");
    context.close().await.unwrap();
    assert_eq!(trace("trace"), "bye");
}

async fn kills_an_abandoned_job_after_the_grace_period(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().grace_period(Duration::from_millis(50)).open().unwrap();
    let mut call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket()).into_future();
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.pid(), unclean.count()), (pid, 1));
    assert!(unclean.to_string().contains(job::KILLED), "{unclean}");
    assert!(has_ended(pid));
}

async fn names_a_worker_that_died_between_its_answer_and_the_look_at_it(case: Case) {
    let (scratch, context) = (Scratch::new(), case.context());
    // Or the answer could be there at the first look already.
    let gate = Gate::new(&scratch, "gate");
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    let die_soon = |gate: String| {
        assert!(pass(&gate));
        std::thread::spawn(|| {
            // More than it takes to answer, under an emulator too.
            std::thread::sleep(Duration::from_millis(500));
            job::end_at_once(42);
        });
    };
    let mut call = context.run_sync(die_soon, gate.ticket()).into_future();
    assert!(poll!(&mut call).is_pending());
    gate.admit_one();
    until("the worker is reaped", || is_reaped(pid)).await;
    call.await.unwrap();
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.pid(), unclean.count()), (pid, 1));
}

#[cfg(unix)]
/// A worker that exits, but not soon.
fn linger_at_exit() {
    extern "C" fn linger() {
        job::spin();
    }
    // SAFETY: `linger` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(linger) }, 0);
}

#[cfg(unix)]
async fn kills_a_worker_that_does_not_leave_after_the_grace_period(case: Case) {
    let context = case.builder().init(linger_at_exit).grace_period(Duration::from_millis(50)).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.pid(), unclean.count()), (pid, 1));
    assert!(unclean.to_string().contains("killed by SIGKILL"), "{unclean}");
}

//! What a context sets for its calls holds where they say nothing else, and a call's own setting wins.

use futures::poll;
use offproc::{Limiter, WorkerContext, current_default_worker_limiter};
use offproc_tests::process::must_end;
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, isolated, job, matrix};

matrix!(
    kill_on_cancel_kills,
    kill_on_cancel_of_the_call_wins,
    a_limiter_is_shared,
    a_limiter_of_the_call_wins,
    max_concurrency_is_a_limiter_of_its_own,
);

isolated!(can_be_read_back,);

async fn kill_on_cancel_kills(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.builder().kill_on_cancel(true).open().unwrap();
    let mut call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
    let pid = drive_until(&mut call, arrivals.next()).await;
    drop(call);
    must_end(pid);
    assert_eq!((context.statistics().abandoned_jobs, current_default_worker_limiter().borrowed_tokens()), (0, 0));
    context.close().await.unwrap();
}

async fn kill_on_cancel_of_the_call_wins(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.builder().kill_on_cancel(true).open().unwrap();
    let arguments = (arrivals.ticket(), gate.ticket(), path.clone());
    let mut call = context.run_sync(job::work, arguments).kill_on_cancel(false);
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    assert_eq!(context.statistics().abandoned_jobs, 1);
    gate.admit_one();
    context.close().await.unwrap();
    assert_eq!(trace(&path), "done\n", "it was not killed");
}

async fn a_limiter_is_shared(case: Case) {
    let one = Limiter::new(1);
    let contexts = [case.builder().limiter(&one).open().unwrap(), case.builder().limiter(&one).open().unwrap()];
    let permit = one.acquire().await;
    let mut calls = contexts.each_ref().map(|context| context.run_sync(|n: u8| n, 1));
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    assert_eq!(one.waiting(), 2);
    assert_eq!(contexts.each_ref().map(|context| context.statistics().waiting_calls), [1, 1]);
    drop(permit);
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    for context in contexts {
        context.close().await.unwrap();
    }
}

async fn a_limiter_of_the_call_wins(case: Case) {
    let (none, one) = (Limiter::new(0), Limiter::new(1));
    let context = case.builder().limiter(&none).open().unwrap();
    assert!(poll!(context.run_sync(|n: u8| n, 1)).is_pending());
    assert_eq!(context.run_sync(|n: u8| n, 1).limiter(&one).await.unwrap(), 1);
    context.close().await.unwrap();
}

async fn max_concurrency_is_a_limiter_of_its_own(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate, path) =
        (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"), scratch.path("trace"));
    let context = case.builder().max_concurrency(1).open().unwrap();
    let mut first = context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone()));
    drive_until(&mut first, arrivals.next()).await;
    let mut second = context.run_sync(|n: u8| n, 2);
    assert!(poll!(&mut second).is_pending());
    assert_eq!((context.limiter().borrowed_tokens(), context.limiter().waiting()), (1, 1));
    assert_eq!(current_default_worker_limiter().borrowed_tokens(), 0);
    // Others do not notice.
    let other = case.context();
    assert_eq!(other.run_sync(|n: u8| n, 3).await.unwrap(), 3);
    gate.admit_one();
    first.await.unwrap();
    assert_eq!(second.await.unwrap(), 2);
    other.close().await.unwrap();
    context.close().await.unwrap();
}

fn can_be_read_back() {
    let context = WorkerContext::builder().open().unwrap();
    assert_eq!((context.kill_on_cancel(), context.max_concurrency(), context.name()), (false, None, None));
    assert_eq!(context.limiter().total_tokens(), current_default_worker_limiter().total_tokens());
    let builder = WorkerContext::builder().kill_on_cancel(true).max_concurrency(7).name("resize");
    let context = builder.open().unwrap();
    assert_eq!((context.kill_on_cancel(), context.max_concurrency(), context.name()), (true, Some(7), Some("resize")));
    assert_eq!(context.limiter().total_tokens(), 7);
    let limiter = Limiter::new(3);
    let context = WorkerContext::builder().limiter(&limiter).open().unwrap();
    limiter.set_total_tokens(5);
    assert_eq!((context.max_concurrency(), context.limiter().total_tokens()), (None, 5));
}

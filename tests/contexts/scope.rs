//! A scope belongs to a future: calls inside it have a private context, which ends with it.

use futures::FutureExt;
use futures::future::{join, join_all};
use offproc::{CacheScopeExt, Error, Limiter, ScopeError, cache_scope, run_sync};
use offproc_tests::process::{Family, kill, must_end};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use std::panic::AssertUnwindSafe;

matrix!(
    has_workers_of_its_own_and_closes_them,
    nests,
    leaves_an_explicit_context_alone,
    is_carried_into_tasks_on_request_only,
    side_by_side_are_kept_apart,
    closes_when_it_is_dropped_half_way,
    closes_when_its_future_panics,
    says_which_workers_did_not_end_cleanly,
);

async fn pid() -> u32 {
    run_sync(job::pid, ()).await.unwrap()
}

async fn has_workers_of_its_own_and_closes_them(case: Case) {
    let (first, second) = cache_scope(case.builder(), async { (pid().await, pid().await) }).await.unwrap();
    assert_eq!(first, second);
    assert!(Family::now().is_empty(), "closed and reaped");
    assert_ne!(pid().await, first);
}

async fn nests(case: Case) {
    let outer = cache_scope(case.builder(), async move {
        let outer = pid().await;
        let inner = cache_scope(case.builder(), async { pid().await }).await.unwrap();
        assert_ne!(outer, inner);
        assert_eq!(pid().await, outer);
        outer
    });
    outer.await.unwrap();
}

async fn leaves_an_explicit_context_alone(case: Case) {
    let context = case.context();
    let outside = context.run_sync(job::pid, ()).await.unwrap();
    let explicit = context.clone();
    let inside = cache_scope(case.builder(), async move { explicit.run_sync(job::pid, ()).await.unwrap() }).await;
    assert_eq!(inside.unwrap(), outside);
    context.close().await.unwrap();
}

async fn is_carried_into_tasks_on_request_only(case: Case) {
    let tasks = async {
        let own = pid().await;
        // Threads of another runtime: nothing but the future itself can carry the scope there.
        let carried = smol::spawn(async { pid().await }.in_cache_scope()).await;
        let plain = smol::spawn(async { pid().await }).await;
        (own, carried, plain)
    };
    let (own, carried, plain) = cache_scope(case.builder(), tasks).await.unwrap();
    assert_eq!(own, carried);
    assert_ne!(own, plain);
    // The scope does not wait for a task that is still to begin.
    #[allow(clippy::async_yields_async, reason = "it is to be awaited after the scope")]
    let begin_late = async { [run_sync(job::pid, ()).into_future().in_cache_scope()] };
    let [late] = cache_scope(case.builder(), begin_late).await.unwrap();
    assert!(matches!(late.await, Err(Error::Closed)));
}

async fn side_by_side_are_kept_apart(case: Case) {
    let scope = || cache_scope(case.builder(), async { join_all((0..10).map(|_| pid())).await });
    let (one, other) = join(scope(), scope()).await;
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.iter().all(|pid| !other.contains(pid)), "{one:?} {other:?}");
}

async fn closes_when_it_is_dropped_half_way(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let two = Limiter::new(2);
    let (ticket, limiter) = (arrivals.ticket(), two.clone());
    let mut scope = Box::pin(cache_scope(case.builder(), async move {
        run_sync(job::pid, ()).limiter(&limiter).await.unwrap();
        run_sync(job::arrive_and_spin, ticket).limiter(&limiter).kill_on_cancel(true).await
    }));
    let pid = drive_until(&mut scope, arrivals.next()).await;
    drop(scope);
    must_end(pid);
    until("no process is left", || Family::now().is_empty()).await;
    assert_eq!(two.borrowed_tokens(), 0);
}

async fn closes_when_its_future_panics(case: Case) {
    let panics = cache_scope(case.builder(), async {
        pid().await;
        panic!("inside a scope");
    });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    until("no process is left", || Family::now().is_empty()).await;
    // And the scope is not current any more.
    pid().await;
}

/// The error is the one that `close` gives, and `ConfigError` without a run for settings that cannot work.
async fn says_which_workers_did_not_end_cleanly(case: Case) {
    use std::error::Error;
    let builder = case.builder().init(|| eprintln!("here since the start"));
    let error = cache_scope(builder, async { kill(pid().await) }).await.unwrap_err();
    let ScopeError::BrokenWorkers(broken) = &error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), broken.to_string());
    let source = |error: &dyn Error| error.source().map(ToString::to_string);
    assert!(source(&error).is_some() && source(&error) == source(broken), "{error:?}");
    let unusable = cache_scope(case.builder().max_message_size(0), async { unreachable!("it is not polled") });
    let error: ScopeError = unusable.await.map(|(): ()| ()).unwrap_err();
    assert!(matches!(error, ScopeError::Config(_)) && source(&error).is_none(), "{error:?}");
}

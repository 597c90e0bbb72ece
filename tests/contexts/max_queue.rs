//! A bounded queue: the call that finds it full gets an error at once, and nothing starts for it.

use futures::future::join_all;
use futures::poll;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::{Case, isolated, job, matrix};
use std::sync::Barrier;
use std::task::Poll;

matrix!(
    refuses_the_call_that_finds_it_full,
    of_zero_lets_no_call_wait,
    has_no_place_for_a_call_with_a_token,
    is_of_the_context_and_not_of_the_limiter,
);

isolated!(is_exact_however_many_threads_call, has_a_getter, keeps_the_places_of_calls_in_a_new_default_context);

async fn refuses_the_call_that_finds_it_full(case: Case) {
    let context = case.builder().max_concurrency(1).max_queue(2).open().unwrap();
    let call = || context.run_sync(job::pid, ());
    let token = context.limiter().try_acquire();
    let (mut first, mut second) = (call(), call());
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    for _ in 0..3 {
        let Poll::Ready(Err(error)) = poll!(&mut call()) else { panic!("it waits") };
        assert!(matches!(error, Error::Overloaded) && error.is_overloaded() && !error.is_timeout(), "{error:?}");
        assert!(error.to_string().contains("max_queue"), "{error}");
    }
    let now = context.statistics();
    assert_eq!((now.waiting_calls, now.overloaded, now.calls, now.started, now.starting_workers), (2, 3, 3, 0, 0));
    // A place that comes free is taken.
    drop(first);
    let mut third = call();
    assert!(poll!(&mut third).is_pending());
    assert!(poll!(&mut call()).is_ready());
    drop(token);
    let results = join_all([second, third]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((context.statistics().waiting_calls, context.statistics().overloaded), (0, 4));
    context.close().await.unwrap();
}

async fn of_zero_lets_no_call_wait(case: Case) {
    let context = case.builder().max_concurrency(1).max_queue(0).open().unwrap();
    for _ in 0..3 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    let token = context.limiter().try_acquire();
    assert!(context.run_sync(job::pid, ()).await.unwrap_err().is_overloaded());
    drop(token);
    context.run_sync(job::pid, ()).await.unwrap();
    context.close().await.unwrap();
}

/// Also before it is polled again: tasks may have much to do.
async fn has_no_place_for_a_call_with_a_token(case: Case) {
    let context = case.builder().max_concurrency(1).max_queue(1).open().unwrap();
    let call = || context.run_sync(job::pid, ());
    let waiting = || context.statistics().waiting_calls;
    let token = context.limiter().try_acquire();
    let (mut first, mut second, mut third) = (call(), call(), call());
    assert!(poll!(&mut first).is_pending());
    assert!(call().await.unwrap_err().is_overloaded());
    drop(token);
    assert_eq!((waiting(), context.limiter().waiting(), context.limiter().available_tokens()), (0, 0, 0));
    assert!(poll!(&mut second).is_pending());
    assert!(call().await.unwrap_err().is_overloaded());
    // The token of a call that is dropped goes to the next one, which leaves its place to another.
    drop(first);
    assert_eq!(waiting(), 0);
    assert!(poll!(&mut third).is_pending());
    assert_eq!(waiting(), 1);
    drop(third);
    assert_eq!(waiting(), 0);
    second.await.unwrap();
    context.close().await.unwrap();
}

/// A call with a limiter of its own is one of its context's; one of another context is not, with the same limiter.
async fn is_of_the_context_and_not_of_the_limiter(case: Case) {
    let (one, own) = (Limiter::new(1), Limiter::new(1));
    let bounded = case.builder().limiter(&one).max_queue(1).open().unwrap();
    let other = case.builder().limiter(&one).open().unwrap();
    let tokens = (one.try_acquire(), own.try_acquire());
    let mut elsewhere = other.run_sync(job::pid, ());
    assert!(poll!(&mut elsewhere).is_pending());
    let mut with_own = bounded.run_sync(job::pid, ()).limiter(&own);
    assert!(poll!(&mut with_own).is_pending());
    let full = bounded.run_sync(job::pid, ()).await;
    assert!(full.unwrap_err().is_overloaded());
    drop(tokens);
    assert!(join_all([elsewhere, with_own]).await.iter().all(Result::is_ok));
    bounded.close().await.unwrap();
    other.close().await.unwrap();
}

fn is_exact_however_many_threads_call() {
    const THREADS: usize = 8;
    let context = WorkerContext::builder().max_concurrency(1).max_queue(50).open().unwrap();
    for _ in 0..20 {
        let token = context.limiter().try_acquire();
        let together = Barrier::new(THREADS);
        let waiting = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        together.wait();
                        let mut calls: Vec<_> = (0..20).map(|_| context.run_sync(job::pid, ())).collect();
                        futures::executor::block_on(async {
                            let mut waiting = Vec::new();
                            for mut call in calls.drain(..) {
                                if poll!(&mut call).is_pending() {
                                    waiting.push(call);
                                }
                            }
                            waiting
                        })
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!((waiting.len(), context.statistics().waiting_calls), (50, 50));
        drop(waiting);
        drop(token);
        assert_eq!(context.statistics().waiting_calls, 0);
    }
    context.close().wait().unwrap();
}

fn has_a_getter() {
    assert_eq!(WorkerContext::builder().open().unwrap().max_queue(), None);
    assert_eq!(WorkerContext::builder().max_queue(0).open().unwrap().max_queue(), Some(0));
    assert_eq!(WorkerContext::builder().max_queue(usize::MAX).open().unwrap().max_queue(), Some(usize::MAX));
}

/// Its bound is for the calls that come.
fn keeps_the_places_of_calls_in_a_new_default_context() {
    let one = Limiter::new(1);
    let token = one.try_acquire();
    let mut calls = [(); 2].map(|()| offproc::run_sync(job::pid, ()).limiter(&one));
    futures::executor::block_on(async {
        for call in &mut calls {
            assert!(poll!(call).is_pending());
        }
    });
    offproc::configure_default_context(WorkerContext::builder().max_queue(1)).unwrap();
    futures::executor::block_on(async {
        for call in &mut calls {
            assert!(poll!(call).is_pending());
        }
        assert_eq!(offproc::default_context_statistics().waiting_calls, 2);
        let full = offproc::run_sync(job::pid, ()).limiter(&one).await;
        assert!(full.unwrap_err().is_overloaded());
        drop(token);
        assert!(join_all(calls).await.iter().all(Result::is_ok));
    });
}

//! A call is a future itself: everything that takes futures takes it, and its options are set before its first poll.

use futures::future::{FusedFuture, join_all};
use futures::stream::{self, StreamExt};
use offproc::{Call, Error, RunSync, TimedCall, WorkerContext, run_sync};
use offproc_tests::{Case, Executor, isolated, job, matrix};
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};
use std::time::Duration;

matrix!(goes_wherever_futures_go, is_terminated_once_it_has_resolved);

isolated!(
    is_a_task_of_tokio,
    is_send_and_unpin,
    settings_after_the_first_poll_panic,
    costs_nothing_before_the_first_poll,
);

async fn goes_wherever_futures_go(case: Case) {
    let context = case.context();
    let doubled = join_all((1..4).map(|n: u32| context.run_sync(|n| n * 2, n))).await;
    assert_eq!(doubled.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 4, 6]);
    let calls = stream::iter(1..4).map(|n: u32| context.run_sync(|n| n + 1, n));
    let next: Vec<_> = calls.buffered(2).collect().await;
    assert_eq!(next.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 3, 4]);
    let call: Call<u32, u32> = context.run_sync(|n: u32| n, 7).into_future();
    assert_eq!(call.await.unwrap(), 7);
    let (mut call, mut endless) =
        (context.run_sync(|n: u32| n, 8), context.run_sync(|()| -> () { job::spin() }, ()).kill_on_cancel(true));
    let first = futures::select! {
        number = call => number.unwrap(),
        _ = endless => unreachable!("it has no end"),
    };
    assert_eq!(first, 8);
    drop(endless);
    context.close().await.unwrap();
}

async fn is_terminated_once_it_has_resolved(case: Case) {
    let context = case.context();
    let mut call = context.run_sync(|n: u32| n, 1);
    assert!(!call.is_terminated());
    assert_eq!((&mut call).await.unwrap(), 1);
    assert!(call.is_terminated());
    let mut timed = context.run_sync(|n: u32| n, 2).timed();
    assert!(!timed.is_terminated());
    assert_eq!((&mut timed).await.0.unwrap(), 2);
    assert!(timed.is_terminated());
    context.close().await.unwrap();
    let mut refused = context.run_sync(|n: u32| n, 1);
    assert!(matches!((&mut refused).await, Err(Error::Closed)));
    assert!(refused.is_terminated());
}

fn is_a_task_of_tokio() {
    Executor::TokioMultiThread.block_on(async {
        let context = WorkerContext::builder().open().unwrap();
        let task = tokio::spawn(context.run_sync(|n: u32| n + 1, 1));
        assert_eq!(task.await.unwrap().unwrap(), 2);
        context.close().await.unwrap();
    });
}

fn is_send_and_unpin() {
    fn check<T: Send + Unpin + 'static>(_: &T) {}
    check(&run_sync(|text: String| text.len(), String::new()));
    check(&run_sync(|text: String| text.len(), String::new()).timed());
    fn needs_nothing_else<A: Send, R: Send>() {
        fn check<T: Send + Unpin>() {}
        check::<RunSync<A, R>>();
        check::<TimedCall<A, R>>();
    }
    needs_nothing_else::<std::cell::Cell<u8>, String>();
}

fn settings_after_the_first_poll_panic() {
    let refused = |change: fn(RunSync<(), ()>) -> RunSync<(), ()>| {
        let context = WorkerContext::builder().open().unwrap();
        let mut call = context.run_sync(|()| (), ());
        assert!(std::pin::Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let panic = catch_unwind(AssertUnwindSafe(|| drop(change(call)))).unwrap_err();
        let text = panic.downcast_ref::<&str>().expect("a message");
        assert!(text.contains("before its first poll"), "{text}");
        Executor::FuturesBlockOn.block_on(async move { context.close().await.unwrap() });
    };
    refused(|call| call.kill_on_cancel(true));
    refused(|call| call.limiter(&offproc::Limiter::new(1)));
    refused(|call| call.time_limit(Duration::from_secs(1)));
    refused(|call| call.cpu_limit(Duration::from_secs(1)));
    refused(|call| call.memory_limit(1 << 30));
    refused(|call| call.soft_time_limit(Duration::from_secs(1)));
    refused(|call| call.soft_cpu_limit(Duration::from_secs(1)));
    refused(|call| call.soft_memory_limit(1 << 30));
}

fn costs_nothing_before_the_first_poll() {
    let context = WorkerContext::builder().open().unwrap();
    drop(context.run_sync(|()| (), ()));
    assert_eq!(context.statistics(), offproc::Statistics::default());
    assert!(offproc_tests::process::Family::now().is_empty(), "no worker was started");
}

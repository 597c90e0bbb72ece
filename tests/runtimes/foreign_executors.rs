//! Calls that another executor polls than the current runtime, and runtimes that cannot be used as reactors: calls end
//! all the same, with the right result, and limits fire.

use futures::executor::block_on;
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use offproc::runtimes::Tokio;
use offproc::{Call, Error, Limiter, Transport, WorkerContext};
use offproc_tests::{isolated, job};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

isolated!(
    block_the_only_thread_of_a_runtime,
    block_the_only_worker_of_a_runtime,
    find_a_runtime_entered_that_does_not_run,
    find_a_runtime_that_others_are_to_drive,
    find_runtimes_without_drivers,
    find_a_runtime_that_has_ended,
    find_a_runtime_that_has_ended_in_a_pause,
    find_a_runtime_whose_only_worker_waits_for_the_call,
    find_the_runtime_that_they_are_pinned_to_at_rest,
    find_a_runtime_entered_on_another_thread_than_its_own,
    find_a_runtime_entered_by_another_that_runs_on_its_thread,
    find_that_no_more_may_be_opened,
    wrap_the_wakers_of_a_runtime,
    poll_in_wake,
    poll_in_wake_when_the_default_context_is_replaced,
    have_wakers_that_panic,
);

const LIMIT: Duration = Duration::from_millis(100);

/// What is to hold in any surroundings: a result from a new worker and from a warm one, over both transports, and a
/// limit that fires and gives its token back.
fn works(context: impl Fn() -> offproc::WorkerContextBuilder) {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let (context, one) = (context().transport(transport).open().unwrap(), Limiter::new(1));
        for n in 0..3 {
            assert_eq!(block_on(context.run_sync(|n: u32| n + 1, n).limiter(&one)).unwrap(), n + 1);
        }
        let late = block_on(context.run_sync(|()| -> () { job::spin() }, ()).limiter(&one).time_limit(LIMIT));
        assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
        assert_eq!(one.available_tokens(), 1);
        block_on(context.close()).unwrap();
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn block_the_only_thread_of_a_runtime() {
    current_thread().block_on(async { works(WorkerContext::builder) });
    // In a task, too.
    let runtime = current_thread();
    runtime.block_on(runtime.spawn(async { works(WorkerContext::builder) })).unwrap();
    async_std::task::block_on(async { works(WorkerContext::builder) });
    smol::block_on(async { works(WorkerContext::builder) });
}

fn block_the_only_worker_of_a_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(runtime.spawn(async { works(WorkerContext::builder) })).unwrap();
}

fn find_a_runtime_entered_that_does_not_run() {
    let runtime = current_thread();
    let _entered = runtime.enter();
    works(WorkerContext::builder);
}

fn find_a_runtime_that_others_are_to_drive() {
    let runtime = current_thread();
    let context = WorkerContext::builder().open().unwrap();
    // First as it should be, so that the runtime is known to answer.
    assert_eq!(runtime.block_on(context.run_sync(|n: u32| n + 1, 1)).unwrap(), 2);
    assert_eq!(runtime.handle().block_on(context.run_sync(|n: u32| n + 1, 2)).unwrap(), 3);
    runtime.block_on(context.close()).unwrap();
}

fn find_runtimes_without_drivers() {
    let none = || Builder::new_current_thread().build().unwrap();
    let io = || Builder::new_current_thread().enable_io().build().unwrap();
    let time = || Builder::new_current_thread().enable_time().build().unwrap();
    for runtime in [none, io, time] {
        let context = WorkerContext::builder().open().unwrap();
        runtime().block_on(async {
            assert_eq!(context.run_sync(|n: u32| n + 1, 1).await.unwrap(), 2);
            let late = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(LIMIT).await;
            assert!(matches!(late, Err(Error::TimedOut)), "{late:?}");
            context.close().await.unwrap();
        });
    }
}

fn find_a_runtime_that_has_ended() {
    let runtime = current_thread();
    let handle = runtime.handle().clone();
    drop(runtime);
    works(|| WorkerContext::builder().runtime(Tokio::from(handle.clone())));
    // In the middle of a call.
    let context = WorkerContext::builder().open().unwrap();
    let mut call = context.run_sync(|()| std::thread::sleep(Duration::from_millis(50)), ());
    let runtime = current_thread();
    runtime.block_on(async { assert!(poll!(&mut call).is_pending()) });
    drop(runtime);
    block_on(call).unwrap();
    block_on(context.close()).unwrap();
}

/// A call that waits for its context to try again goes on in another runtime, or in none, when its own has ended.
fn find_a_runtime_that_has_ended_in_a_pause() {
    let block_on_itself: fn(Call<(), ()>) -> _ = |call| block_on(call);
    for next in [|call| current_thread().block_on(call), block_on_itself, Call::wait] {
        let context = WorkerContext::builder().init(|| panic!("no licence")).open().unwrap();
        // Each pause is twice as long: 160 ms after the last of these.
        for _ in 0..6 {
            assert!(block_on(context.run_sync(|()| (), ())).is_err());
        }
        let mut call = context.run_sync(|()| (), ());
        let runtime = current_thread();
        runtime.block_on(async { assert!(poll!(&mut call).is_pending()) });
        assert_eq!(context.statistics().starting_workers, 1);
        drop(runtime);
        let end = next(call);
        assert!(matches!(&end, Err(Error::Panicked(e)) if e.message() == "no licence"), "{end:?}");
        block_on(context.close()).unwrap();
    }
}

/// Long enough for its caller to wait with a reactor.
fn slow(n: u32) -> u32 {
    std::thread::sleep(Duration::from_millis(5));
    n + 1
}

/// A library's blocking function may use a thread of its own, and that the runtime.
fn find_a_runtime_whose_only_worker_waits_for_the_call() {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let context = WorkerContext::builder().transport(transport).open().unwrap();
        // First as it should be, so that the runtime is known to answer.
        for n in 0..5 {
            assert_eq!(runtime.block_on(context.run_sync(slow, n)).unwrap(), n + 1);
            let call = context.run_sync(slow, n);
            assert_eq!(runtime.block_on(runtime.spawn(call)).unwrap().unwrap(), n + 1);
        }
        let call = context.run_sync(slow, 5);
        let bridge = runtime.spawn(async {
            let handle = tokio::runtime::Handle::current();
            std::thread::spawn(move || handle.block_on(call)).join().unwrap()
        });
        assert_eq!(block_on(bridge).unwrap().unwrap(), 6);
        block_on(context.close()).unwrap();
    }
}

fn find_the_runtime_that_they_are_pinned_to_at_rest() {
    let others = [current_thread(), Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()];
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let pinned = current_thread();
        let runtime = Tokio::from(pinned.handle().clone());
        let context = WorkerContext::builder().transport(transport).runtime(runtime).open().unwrap();
        // While it runs, it is known to answer.
        for n in 0..5 {
            assert_eq!(pinned.block_on(context.run_sync(slow, n)).unwrap(), n + 1);
        }
        for other in &others {
            assert_eq!(other.block_on(context.run_sync(slow, 5)).unwrap(), 6);
            assert_eq!(other.block_on(other.spawn(context.run_sync(slow, 6))).unwrap().unwrap(), 7);
        }
        assert_eq!(block_on(context.run_sync(slow, 7)).unwrap(), 8);
        block_on(context.close()).unwrap();
    }
}

fn find_a_runtime_entered_on_another_thread_than_its_own() {
    let (own, workers) =
        (current_thread(), Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let context = WorkerContext::builder().open().unwrap();
    // Where it runs, it is known to answer.
    for n in 0..5 {
        assert_eq!(own.block_on(context.run_sync(slow, n)).unwrap(), n + 1);
    }
    let (mut call, handle) = (context.run_sync(slow, 5), own.handle().clone());
    let task = workers.spawn(std::future::poll_fn(move |cx| {
        let _entered = handle.enter();
        std::pin::Pin::new(&mut call).poll(cx)
    }));
    assert_eq!(block_on(task).unwrap().unwrap(), 6);
    block_on(context.close()).unwrap();
}

fn find_a_runtime_entered_by_another_that_runs_on_its_thread() {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let (own, other) = (current_thread(), current_thread());
        let context = WorkerContext::builder().transport(transport).open().unwrap();
        // Where it runs, it is known to answer.
        for n in 0..5 {
            assert_eq!(own.block_on(context.run_sync(slow, n)).unwrap(), n + 1);
        }
        let result = other.block_on(async {
            let _entered = own.enter();
            context.run_sync(slow, 5).await
        });
        assert_eq!(result.unwrap(), 6);
        let (mut call, handle) = (context.run_sync(slow, 6), own.handle().clone());
        let task = other.spawn(std::future::poll_fn(move |cx| {
            let _entered = handle.enter();
            std::pin::Pin::new(&mut call).poll(cx)
        }));
        assert_eq!(other.block_on(task).unwrap().unwrap(), 7);
        block_on(context.close()).unwrap();
    }
}

fn find_that_no_more_may_be_opened() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let (runtime, context) = (current_thread(), WorkerContext::builder().open().unwrap());
    assert_eq!(runtime.block_on(context.run_sync(slow, 1)).unwrap(), 2);
    let _entered = runtime.enter();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let cached = block_on(context.run_sync(slow, 2));
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(cached.unwrap(), 3);
    block_on(context.close()).unwrap();
}

fn wrap_the_wakers_of_a_runtime() {
    current_thread().block_on(async {
        let (context, two) = (WorkerContext::builder().open().unwrap(), Limiter::new(2));
        let calls: FuturesUnordered<_> =
            (0..200_u32).map(|n| context.run_sync(|n: u32| n + 1, n).limiter(&two)).collect();
        let sum = calls.map(Result::unwrap).fold(0, async |sum, n| sum + n).await;
        assert_eq!(sum, (1..=200).sum::<u32>());
        context.close().await.unwrap();
    });
}

/// A task that is polled where it is woken.
struct Inline {
    future: Mutex<futures::future::BoxFuture<'static, ()>>,
    wakes: AtomicUsize,
    over: Mutex<bool>,
}

impl Inline {
    fn start(future: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let (future, wakes) = (Mutex::new(Box::pin(future) as _), AtomicUsize::new(0));
        let task = Arc::new(Self { future, wakes, over: Mutex::new(false) });
        Arc::clone(&task).wake();
        task
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        if self.wakes.fetch_add(1, Ordering::SeqCst) > 0 {
            return; // the thread that polls it polls again
        }
        loop {
            let seen = self.wakes.load(Ordering::SeqCst);
            let mut over = self.over.lock().unwrap();
            if !*over {
                let waker = Waker::from(Arc::clone(&self));
                *over = self.future.lock().unwrap().as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            }
            drop(over);
            if self.wakes.fetch_sub(seen, Ordering::SeqCst) == seen {
                return;
            }
        }
    }
}

fn poll_in_wake() {
    static SUM: AtomicUsize = AtomicUsize::new(0);
    let tasks: Vec<_> = (0..30)
        .map(|n| {
            Inline::start(async move {
                let context = WorkerContext::builder().open().unwrap();
                SUM.fetch_add(context.run_sync(|n: usize| n + 1, n).await.unwrap(), Ordering::SeqCst);
                context.close().await.unwrap();
            })
        })
        .collect();
    while !tasks.iter().all(|task| *task.over.lock().unwrap()) {
        std::thread::yield_now();
    }
    assert_eq!(SUM.load(Ordering::SeqCst), (1..=30).sum::<usize>());
}

/// Its calls that wait for a token are woken, and look for the new one.
fn poll_in_wake_when_the_default_context_is_replaced() {
    static RESULT: AtomicUsize = AtomicUsize::new(0);
    let limiter = Limiter::new(0);
    let call = offproc::run_sync(|n: usize| n + 1, 1).limiter(&limiter);
    let task = Inline::start(async { RESULT.store(call.await.unwrap(), Ordering::SeqCst) });
    offproc::configure_default_context(WorkerContext::builder()).unwrap();
    limiter.set_total_tokens(1);
    while !*task.over.lock().unwrap() {
        std::thread::yield_now();
    }
    assert_eq!(RESULT.load(Ordering::SeqCst), 2);
}

fn have_wakers_that_panic() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    let waker = Waker::from(Arc::new(Panics));
    let mut cx = Context::from_waker(&waker);
    let (context, one) = (WorkerContext::builder().open().unwrap(), Limiter::new(1));
    // Woken by the background thread: for a token that an abandoned job gives back, for the end of a close, and for a
    // death.
    let mut abandoned = context.run_sync(|()| std::thread::sleep(LIMIT), ()).limiter(&one);
    block_on(context.run_sync(|()| (), ())).unwrap();
    assert!(block_on(async { poll!(&mut abandoned) }).is_pending(), "the worker has it");
    drop(abandoned);
    let mut waits = Box::pin(context.run_sync(|()| (), ()).limiter(&one));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    let mut closes = Box::pin(context.close());
    let _ = closes.as_mut().poll(&mut cx);
    block_on(context.close()).unwrap();
    drop((waits, closes));
    assert_eq!(one.available_tokens(), 1);
    let other = WorkerContext::builder().open().unwrap();
    let dead = block_on(other.run_sync(|()| -> () { job::end_at_once(3) }, ()));
    assert!(matches!(dead, Err(Error::BrokenWorker(_))), "{dead:?}");
    assert_eq!(block_on(other.run_sync(|n: u32| n + 1, 1)).unwrap(), 2);
    block_on(other.close()).unwrap();
}

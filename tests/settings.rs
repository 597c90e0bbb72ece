//! Settings that cannot work are refused when the context is opened, and the others can be read back.

use futures::executor::block_on;
use offproc::{WorkerContext, WorkerType};
use offproc_tests::isolated;
use std::time::Duration;

isolated!(that_cannot_work_are_refused, can_be_read_back, without_measure_do_no_harm, futures_may_move_between_threads,);

fn that_cannot_work_are_refused() {
    let foreign = {
        // SAFETY: the pointer is never called; it only has to be of another object than this one.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(), fn()>(libc::sync) }
    };
    let builder = WorkerContext::builder;
    for (nonsense, word) in [
        (builder().frame_limit(0), "frame limit"),
        (builder().frame_limit(100), "frame limit"),
        (builder().start_timeout(Duration::ZERO), "start timeout"),
        (builder().init(foreign), "shared library"),
    ] {
        let refusal = nonsense.open().unwrap_err().to_string();
        assert!(refusal.contains(word), "{refusal}");
    }
}

fn can_be_read_back() {
    fn init() {}
    let context = WorkerContext::builder().init(init).retire(|| true).idle_timeout(Duration::ZERO).open().unwrap();
    assert!(context.init().is_some() && context.retire().is_some());
    assert_eq!(context.idle_timeout(), Duration::ZERO);
    assert_eq!(context.worker_type(), WorkerType::Spawn);
    let defaults = WorkerContext::builder().open().unwrap();
    assert_eq!((defaults.init(), defaults.retire()), (None, None));
    assert_eq!(defaults.idle_timeout(), Duration::from_secs(600));
    assert_eq!(defaults.grace_period(), Duration::from_secs(30));
}

fn without_measure_do_no_harm() {
    let builder = WorkerContext::builder().spin(Duration::MAX).start_timeout(Duration::MAX);
    let context = builder.idle_timeout(Duration::MAX).grace_period(Duration::MAX).open().unwrap();
    block_on(async {
        for n in 0..5 {
            assert_eq!(context.run_sync(|n: u8| n, n).time_limit(Duration::MAX).await.unwrap(), n);
            // So that the worker looks for the next job more than once.
            std::thread::sleep(Duration::from_millis(1));
        }
        context.close().await.unwrap();
    });
}

fn futures_may_move_between_threads() {
    fn check<T: Send + 'static>(_: T) {}
    check(offproc::run_sync(|text: String| text.len(), String::new()).into_future());
    check(WorkerContext::builder().open().unwrap());
}

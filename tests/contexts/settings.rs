//! Settings that cannot work are refused when the context is opened, and the others can be read back.

use futures::executor::block_on;
use offproc::{Limiter, Resource, WorkerContext, WorkerType};
use offproc_tests::isolated;
use std::time::Duration;

isolated!(that_cannot_work_are_refused, can_be_read_back, without_measure_do_no_harm, futures_may_move_between_threads);

fn that_cannot_work_are_refused() {
    let foreign = {
        // SAFETY: the pointer is never called; it only has to be of another object than this one.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(), fn()>(libc::sync) }
    };
    let builder = WorkerContext::builder;
    let zero = Duration::ZERO;
    #[expect(clippy::reversed_empty_ranges, reason = "that is the nonsense")]
    let backwards = 5..=4;
    for (nonsense, word) in [
        (builder().max_message_size(0), "max_message_size"),
        (builder().max_message_size(100), "max_message_size"),
        (builder().start_timeout(zero), "start timeout"),
        (builder().init(foreign), "shared library"),
        (builder().oom_score_adj(1001), "oom_score_adj"),
        (builder().after_fork(|| ()), "after_fork"),
        (builder().worker_type(WorkerType::ForkServer).after_fork(foreign), "shared library"),
        (builder().worker_type(fork()).inherit_descriptors(true), "inherit_descriptors"),
        (builder().sandbox(foreign), "shared library"),
        (builder().preload(foreign), "shared library"),
        (builder().spare_workers(usize::MAX), "18446744073709551615 spare workers are too many"),
        (builder().spare_workers(4097), "4096 are the most"),
        (builder().retire_after_jobs(0..=0), "before its first job"),
        (builder().retire_after_jobs(0..=5), "before its first job"),
        (builder().retire_after_jobs(backwards), "before its first job"),
        (builder().retire_above_memory(0), "0 bytes"),
        (builder().time_limit(zero), "time limit of zero"),
        (builder().cpu_limit(zero), "CPU time limit of zero"),
        (builder().memory_limit(0), "memory limit of zero"),
        (builder().resource_limit(Resource::AddressSpace, 0), "address space"),
        (builder().resource_limit(Resource::CpuTime, 0), "CPU time"),
        (builder().nice(20), "no niceness 20"),
        (builder().nice(-21), "no niceness -21"),
        (builder().nice(i32::MAX), "niceness"),
        (builder().nice(i32::MIN), "niceness"),
        (builder().current_dir("a\0b"), r"a\0b"),
        (builder().current_dir(""), "directory"),
        (builder().env("", "value"), "name of an environment variable"),
        (builder().env("A=B", "value"), "A=B"),
        (builder().env("A\0B", "value"), r"A\0B"),
        (builder().env("NAME", "val\0ue"), "NAME"),
        (builder().env_remove("A=B"), "A=B"),
        (builder().env_remove(""), "name of an environment variable"),
        (builder().cpu_affinity([]), "at least one CPU"),
        (builder().cpu_affinity([0, 1024]), "no CPU 1024"),
        (builder().cpu_affinity([usize::MAX]), "no CPU 18446744073709551615"),
        (builder().cpu_affinity([1022, 1023]), "none of the CPUs [1022, 1023]"),
        (builder().max_concurrency(0), "max_concurrency(0)"),
        (builder().max_concurrency(1).limiter(&Limiter::new(1)), "either"),
        (builder().name(""), "must not be empty"),
        (builder().name("a\0b"), r"a\0b"),
        (builder().name("a\nb"), r"a\nb"),
    ] {
        let refusal = nonsense.open().unwrap_err().to_string();
        assert!(refusal.contains(word), "{word:?} is not in {refusal:?}");
    }
    // At the edge of them, and what has a meaning at zero.
    for edge in [
        builder().nice(19).current_dir("/").env("NAME", "").env_remove("NAME"),
        builder().cpu_affinity(0..1024),
        builder().spare_workers(4096),
        builder().retire_after_jobs(1..=1).retire_after_age(zero).retire_above_memory(1),
        builder().idle_timeout(zero).grace_period(zero).max_spin(zero).soft_time_limit(zero).soft_memory_limit(0),
        builder().resource_limit(Resource::OpenFiles, 0).resource_limit(Resource::FileSize, 0),
        builder().resource_limit(Resource::CoreSize, 0).resource_limit(Resource::AddressSpace, u64::MAX),
        builder().max_message_size(usize::MAX).time_limit(Duration::MAX).memory_limit(u64::MAX),
        builder().max_concurrency(usize::MAX).name("größer"),
    ] {
        edge.open().unwrap();
    }
}

fn fork() -> WorkerType {
    // SAFETY: no worker is started.
    unsafe { WorkerType::fork() }
}

fn can_be_read_back() {
    fn init() {}
    let context = WorkerContext::builder().init(init).retire(|| true).idle_timeout(Duration::ZERO).open().unwrap();
    assert!(context.init().is_some() && context.retire().is_some());
    assert_eq!(context.idle_timeout(), Duration::ZERO);
    assert_eq!(context.worker_type(), WorkerType::Spawn);
    let builder = WorkerContext::builder().worker_type(WorkerType::ForkServer).after_fork(init);
    let context = builder.inherit_descriptors(true).oom_score_adj(7).open().unwrap();
    assert!(context.after_fork().is_some() && context.inherit_descriptors());
    assert_eq!(context.oom_score_adj(), 7);
    let defaults = WorkerContext::builder().open().unwrap();
    assert_eq!((defaults.after_fork(), defaults.inherit_descriptors(), defaults.oom_score_adj()), (None, false, 500));
    assert_eq!((defaults.init(), defaults.retire()), (None, None));
    assert_eq!(defaults.idle_timeout(), Duration::from_secs(600));
    assert_eq!(defaults.grace_period(), Duration::from_secs(30));
}

fn without_measure_do_no_harm() {
    let builder = WorkerContext::builder().max_spin(Duration::MAX).start_timeout(Duration::MAX);
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

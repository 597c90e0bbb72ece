//! The price of a call, under criterion: for comparing two commits, not for holding against bars.

use criterion::{Criterion, criterion_group};
use offproc::WorkerContext;
use offproc_bench::{noop, one_thread};
use std::time::Duration;

fn warm(criterion: &mut Criterion) {
    let tokio = one_thread();
    let mut group = criterion.benchmark_group("warm no-op");
    group.bench_function("offproc", |bencher| {
        bencher.to_async(&tokio).iter(|| async { offproc::run_sync(noop, ()).await.expect("a no-op succeeds") });
    });
    group.bench_function("tokio spawn_blocking", |bencher| {
        bencher.to_async(&tokio).iter(|| tokio::task::spawn_blocking(|| noop(())));
    });
    group.bench_function("smol unblock", |bencher| {
        bencher.iter(|| smol::block_on(smol::unblock(|| noop(()))));
    });
    let pool = procspawn::Pool::new(1).expect("a process can be started");
    group.bench_function("procspawn pool", |bencher| {
        bencher.iter(|| pool.spawn((), noop).join().expect("a no-op succeeds"));
    });
    group.finish();
}

fn cold(criterion: &mut Criterion) {
    let tokio = one_thread();
    let mut group = criterion.benchmark_group("cold no-op");
    for worker_type in [offproc::WorkerType::Spawn, offproc::WorkerType::ForkServer] {
        let context = WorkerContext::builder().worker_type(worker_type.clone()).retire_after_jobs(1..=1);
        let context = context.open().expect("the settings are fine");
        group.bench_function(format!("offproc {worker_type:?}"), |bencher| {
            bencher.to_async(&tokio).iter(|| async { context.run_sync(noop, ()).await.expect("a no-op succeeds") });
        });
    }
    group.bench_function("procspawn spawn", |bencher| {
        bencher.iter(|| procspawn::spawn((), noop).join().expect("a no-op succeeds"));
    });
    group.finish();
}

criterion_group! {
    name = calls;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = warm, cold
}

fn main() {
    // A process that procspawn started ends here; a worker of ours never gets here.
    procspawn::init();
    calls();
    Criterion::default().configure_from_args().final_summary();
}

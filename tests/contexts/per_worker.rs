//! The index of a worker, and settings that differ from worker to worker.

use futures::future::join_all;
use offproc::{Error, Limiter, WorkerContext, worker_index};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

matrix!(each_running_worker_has_an_index_of_its_own, each_worker_has_its_own_settings_on_top_of_the_context_s,);

isolated!(
    an_index_is_used_again_once_its_worker_has_ended,
    there_are_no_more_indices_than_tokens_although_workers_retire,
    spare_and_warm_workers_have_indices_beyond_the_tokens,
    the_function_runs_once_for_each_start_and_in_the_program_alone,
    a_setting_that_cannot_work_is_an_error_that_names_the_index,
    a_function_that_panics_is_an_error_that_names_the_index,
    a_function_that_hangs_stops_no_other_start,
    a_worker_of_a_worker_has_the_index_of_its_own_context,
);

fn index(_: ()) -> Option<usize> {
    worker_index()
}

fn hold((ticket, gate): (String, String)) -> Option<usize> {
    arrive(&ticket);
    assert!(pass(&gate));
    worker_index()
}

/// The indices of so many workers that run at a time.
async fn all_indices(context: &WorkerContext, scratch: &Scratch, name: &str, count: usize) -> Vec<usize> {
    let arrivals = Arrivals::new(scratch, &format!("arrivals {name}"));
    let gate = Gate::new(scratch, &format!("gate {name}"));
    let all = (0..count).map(|_| context.run_sync(hold, (arrivals.ticket(), gate.ticket())));
    let mut all = join_all(all);
    drive_until(&mut all, async {
        for _ in 0..count {
            arrivals.next().await;
        }
    })
    .await;
    (0..count).for_each(|_| gate.admit_one());
    let mut all: Vec<usize> = all.await.into_iter().map(|index| index.unwrap().unwrap()).collect();
    all.sort_unstable();
    all
}

fn on_all_kinds(test: impl AsyncFn(Case, &Scratch)) {
    for workers in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        futures::executor::block_on(test(Case::new(Executor::FuturesBlockOn, workers), &Scratch::new()));
    }
}

async fn each_running_worker_has_an_index_of_its_own(case: Case) {
    let scratch = Scratch::new();
    assert_eq!(worker_index(), None);
    let context = case.builder().max_concurrency(3).open().unwrap();
    assert_eq!(context.run_sync(index, ()).await.unwrap(), Some(0));
    assert_eq!(all_indices(&context, &scratch, "first", 3).await, [0, 1, 2]);
    // The cached ones keep theirs.
    assert_eq!(all_indices(&context, &scratch, "again", 3).await, [0, 1, 2]);
    let other = case.builder().open().unwrap();
    assert_eq!(other.run_sync(index, ()).await.unwrap(), Some(0), "each context counts for itself");
    other.close().await.unwrap();
    context.close().await.unwrap();
}

type Had = (Option<String>, Option<String>, Option<String>, PathBuf, i32, Vec<usize>);

fn had(_: ()) -> Had {
    let variable = |name: &str| std::env::var(name).ok();
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    let cpus = (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| cpus.is_set(*cpu)).collect();
    let nice = rustix::process::getpriority_process(None).unwrap();
    (variable("OF_ALL"), variable("OF_ONE"), variable("GONE"), std::env::current_dir().unwrap(), nice, cpus)
}

async fn each_worker_has_its_own_settings_on_top_of_the_context_s(case: Case) {
    let scratch = Scratch::new();
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| cpus.is_set(*cpu)).unwrap();
    let folder = scratch.folder().canonicalize().unwrap();
    let own = folder.clone();
    let context = case.builder().env("OF_ALL", "all").env("OF_ONE", "all").env("GONE", "not yet").nice(3);
    let context = context.max_concurrency(2).per_worker(move |index, worker| {
        worker.env("OF_ONE", index.to_string());
        if index == 1 {
            worker.env_remove("GONE").cpu_affinity([cpu]).nice(7).current_dir(&own);
        }
    });
    let context = context.open().unwrap();
    let text = |text: &str| Some(text.to_owned());
    let here = std::env::current_dir().unwrap();
    let of_first = (text("all"), text("0"), text("not yet"), here, 3, all_cpus());
    assert_eq!(context.run_sync(had, ()).await.unwrap(), of_first);
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let mut first = context.run_sync(hold, (arrivals.ticket(), gate.ticket()));
    drive_until(&mut first, arrivals.next()).await;
    let of_second = (text("all"), text("1"), None, folder, 7, vec![cpu]);
    assert_eq!(context.run_sync(had, ()).await.unwrap(), of_second);
    gate.admit_one();
    assert_eq!(first.await.unwrap(), Some(0));
    context.close().await.unwrap();
}

fn all_cpus() -> Vec<usize> {
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| cpus.is_set(*cpu)).collect()
}

fn an_index_is_used_again_once_its_worker_has_ended() {
    on_all_kinds(async |case, scratch| {
        let context = case.builder().max_concurrency(3).per_worker(|_, _| ()).open().unwrap();
        assert_eq!(all_indices(&context, scratch, "first", 3).await, [0, 1, 2]);
        // A crash, and a kill by a dropped call: the next one waits for the end of it.
        for round in 0..2 {
            let (arrivals, gate) =
                (Arrivals::new(scratch, &format!("a{round}")), Gate::new(scratch, &format!("g{round}")));
            let hold_index = (arrivals.ticket(), gate.ticket());
            let mut others = join_all((0..2).map(|_| context.run_sync(hold, hold_index.clone())));
            drive_until(&mut others, async { (arrivals.next().await, arrivals.next().await) }).await;
            if round == 0 {
                context.run_sync(job::end_at_once, 3).await.unwrap_err();
            } else {
                let mut killed = context.run_sync(job::arrive_and_spin, arrivals.ticket()).kill_on_cancel(true);
                drive_until(&mut killed, arrivals.next()).await;
                drop(killed);
            }
            let third = context.run_sync(index, ()).await.unwrap().unwrap();
            (0..2).for_each(|_| gate.admit_one());
            let mut all = vec![third];
            all.extend(others.await.into_iter().map(|index| index.unwrap().unwrap()));
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2]);
        }
        context.close().await.unwrap();
    });
}

fn there_are_no_more_indices_than_tokens_although_workers_retire() {
    on_all_kinds(async |case, _| {
        let builder = case.builder().max_concurrency(2).retire_after_jobs(1..=1).init_with((), |()| ());
        let context = builder.open().unwrap();
        let indices = join_all((0..24).map(|_| context.run_sync(index, ()))).await;
        assert!(indices.iter().all(|index| matches!(index, Ok(Some(0 | 1)))), "{indices:?}");
        assert_eq!(context.statistics().states_built, 24);
        context.close().await.unwrap();
    });
}

fn spare_and_warm_workers_have_indices_beyond_the_tokens() {
    on_all_kinds(async |case, scratch| {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&most);
        let note = move |index: usize, _: &mut offproc::WorkerSettings| {
            seen.fetch_max(index, Ordering::SeqCst);
        };
        let context = case.builder().max_concurrency(1).per_worker(note).open().unwrap();
        context.warm_up(3).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 2);
        context.limiter().set_total_tokens(3);
        assert_eq!(all_indices(&context, scratch, "all", 3).await, [0, 1, 2]);
        context.close().await.unwrap();
    });
}

fn the_function_runs_once_for_each_start_and_in_the_program_alone() {
    on_all_kinds(async |case, _| {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (noted, program) = (Arc::clone(&calls), std::process::id());
        let context = case.builder().max_concurrency(1).per_worker(move |index, _| {
            assert_eq!(std::process::id(), program);
            noted.lock().unwrap().push(index);
        });
        let context = context.open().unwrap();
        assert!(calls.lock().unwrap().is_empty(), "nothing starts yet");
        for _ in 0..2 {
            context.run_sync(job::pid, ()).await.unwrap();
            context.run_sync(job::end_at_once, 3).await.unwrap_err();
        }
        assert_eq!(*calls.lock().unwrap(), [0, 0]);
        context.close().await.unwrap();
    });
}

fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Spawn(e)) => e.to_string(),
        other => panic!("not a start that failed: {other:?}"),
    }
}

type Adjust = fn(usize, &mut offproc::WorkerSettings);

fn a_setting_that_cannot_work_is_an_error_that_names_the_index() {
    let wrong: [(Adjust, &str); 8] = [
        (|_, worker| _ = worker.nice(77), "there is no niceness 77"),
        (|_, worker| _ = worker.cpu_affinity([]), "at least one CPU"),
        (|_, worker| _ = worker.cpu_affinity([1 << 20]), "there is no CPU"),
        (|_, worker| _ = worker.env("A=B", ""), "\"A=B\""),
        (|_, worker| _ = worker.env("A", "\0"), "NUL"),
        (|_, worker| _ = worker.env_remove(""), "environment variable"),
        (|_, worker| _ = worker.current_dir(""), "path of a directory"),
        (|_, worker| _ = worker.current_dir("/does not exist"), "/does not exist"),
    ];
    on_all_kinds(async |case, _| {
        for (adjust, what) in wrong {
            let context = case.builder().per_worker(adjust).open().unwrap();
            let said = said(context.run_sync(job::pid, ()).await);
            assert!(said.contains(what) && said.contains("index 0"), "{said}");
            assert_eq!(context.statistics().failed_starts, 1);
            context.close().await.unwrap();
        }
    });
}

fn a_function_that_panics_is_an_error_that_names_the_index() {
    on_all_kinds(async |case, scratch| {
        let gpus = ["a", "b"];
        let context = case.builder().max_concurrency(3).per_worker(move |index, worker| {
            worker.env("GPU", gpus[index]);
        });
        let context = context.open().unwrap();
        assert_eq!(all_indices(&context, scratch, "both", 2).await, [0, 1]);
        let said = said(context.warm_up(3).await);
        assert!(said.contains("panicked: index out of bounds") && said.contains("index 2"), "{said}");
        assert_eq!(context.run_sync(index, ()).await.unwrap().map(|index| index < 2), Some(true));
        context.close().await.unwrap();
    });
}

fn a_function_that_hangs_stops_no_other_start() {
    on_all_kinds(async |case, _| {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let context = case.builder().max_concurrency(1).per_worker(move |_, _| {
            let _ = gate.lock().unwrap().recv();
        });
        let context = context.open().unwrap();
        // A spare start hangs on no thread of offproc's own that others wait for.
        let mut warm_up = context.warm_up(1);
        assert!(futures::poll!(&mut warm_up).is_pending());
        let other = case.context();
        other.warm_up(1).await.unwrap();
        let late = context.run_sync(job::pid, ()).timeout(Duration::from_millis(20)).await;
        assert!(late.as_ref().is_err_and(Error::is_timeout), "{late:?}");
        drop(open);
        warm_up.await.unwrap();
        other.close().await.unwrap();
        context.close().await.unwrap();
    });
}

fn nested(_: ()) -> (Option<usize>, Option<usize>) {
    let context = WorkerContext::builder().limiter(&Limiter::new(1)).open().unwrap();
    let inner = context.run_sync(index, ()).wait().unwrap();
    context.close().wait().unwrap();
    (worker_index(), inner)
}

fn a_worker_of_a_worker_has_the_index_of_its_own_context() {
    for workers in [WorkerKind::Spawn, WorkerKind::ForkServer] {
        let context = Case::new(Executor::FuturesBlockOn, workers).builder().open().unwrap();
        context.warm_up(2).wait().unwrap();
        let mut first = None;
        for _ in 0..2 {
            let (outer, inner) = context.run_sync(nested, ()).wait().unwrap();
            assert_eq!(inner, Some(0));
            first = first.or(outer);
        }
        assert!(matches!(first, Some(0 | 1)), "{first:?}");
        context.close().wait().unwrap();
    }
}

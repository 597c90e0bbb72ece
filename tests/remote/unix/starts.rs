use super::{builder, by_shell, shell, this};
use offproc::{Error, Limiter, WorkerContext, WorkerType, worker_index};
use std::process::Command;
use std::time::Duration;

pub(crate) fn indices_whose_command_fails_rest() {
    let of_odd_indices = WorkerType::command(|index| if index % 2 == 1 { this() } else { shell("exit 255") });
    let context = builder().worker_type(of_odd_indices).max_concurrency(4).open().unwrap();
    let calls: Vec<_> = (0..40).map(|n: u32| context.run_sync(|n: u32| (n, worker_index()), n)).collect();
    let answers = smol::block_on(futures::future::join_all(calls));
    for (n, answer) in (0..).zip(answers) {
        let (same, index) = answer.unwrap();
        assert!(same == n && matches!(index, Some(1 | 3)), "{index:?}");
    }
    let totals = context.statistics();
    assert!(totals.failed_starts > 0 && totals.started <= 2, "{totals:?}");
    context.close().wait().unwrap();
}

/// One more would have no index. While it waits, the thread that wakes timers goes on.
pub(crate) fn no_more_workers_are_started_than_there_are_indices() {
    let context = builder().max_concurrency(1).spare_workers(1).open().unwrap();
    for n in 0..20 {
        assert_eq!(context.run_sync(|n: u32| n + 1, n).wait().unwrap(), n + 1);
    }
    let slow = context.run_sync(|()| std::thread::sleep(Duration::from_secs(3600)), ());
    assert!(matches!(slow.time_limit(Duration::from_millis(1)).wait(), Err(Error::TimedOut)));
    context.close().wait().unwrap();
    let context = builder().open().unwrap();
    context.warm_up(5).wait().unwrap();
    assert_eq!(context.statistics().started, 2);
    context.close().wait().unwrap();
}

/// Those that fail slowly do not keep the others from their turn, and a call learns that all fail.
pub(crate) fn slow_failures_end() {
    let of_the_last = WorkerType::command(|index| if index == 2 { this() } else { shell("sleep 0.3; exit 255") });
    let context = builder().worker_type(of_the_last).max_concurrency(3).open().unwrap();
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    assert_eq!(context.statistics().failed_starts, 2);
    context.close().wait().unwrap();
    let context = by_shell("sleep 0.3; exit 255").max_concurrency(3).open().unwrap();
    let calls = futures::future::join_all((0..3).map(|_| context.run_sync(|()| (), ())));
    for answer in smol::block_on(calls) {
        assert!(matches!(answer, Err(Error::Spawn(_))), "{answer:?}");
    }
}

pub(crate) fn the_cause_is_in_the_error() {
    let context = by_shell("echo no such host >&2; exit 255").open().unwrap();
    for _ in 0..2 {
        let error = context.run_sync(|()| (), ()).wait().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Spawn(_)), "{text}");
        for part in ["sh -c 'echo no such host", "no such host", "exited with code 255", "(index "] {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }
    let missing = builder().worker_type(WorkerType::command(|_| Command::new("no-such-program-of-offproc")));
    let error = missing.open().unwrap().run_sync(|()| (), ()).wait().unwrap_err();
    assert!(matches!(error, Error::Spawn(_)) && error.to_string().contains("no-such-program-of-offproc"), "{error}");
}

pub(crate) fn a_greeting_is_no_worker() {
    let context = by_shell("echo Welcome to this machine; exec \"$@\"").open().unwrap();
    let error = context.run_sync(|()| (), ()).wait().unwrap_err();
    assert!(matches!(error, Error::Spawn(_)) && error.to_string().contains("Welcome to this machine"), "{error}");
}

pub(crate) fn another_build_is_none() {
    let another = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_program"));
        command.arg("serve");
        command
    };
    let context = builder().worker_type(WorkerType::command(move |_| another())).open().unwrap();
    let error = context.run_sync(|()| (), ()).wait().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Spawn(_)) && text.contains("another build"), "{text}");
    let fingerprints = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 32);
    let fingerprints: std::collections::BTreeSet<_> = fingerprints.collect();
    assert_eq!(fingerprints.len(), 2, "{text}");
}

pub(crate) fn settings_that_cannot_act_are_refused() {
    let refused = |builder: offproc::WorkerContextBuilder, word: &str| {
        let text = builder.open().unwrap_err().to_string();
        assert!(text.contains(word), "{word:?} is not in: {text}");
    };
    refused(WorkerContext::builder().worker_type(WorkerType::command(|_| this())), "max_concurrency");
    refused(builder().preload(|| {}), "preload");
    refused(builder().after_fork(|| {}), "after_fork");
    refused(builder().kill_tree(true), "kill_tree");
    refused(builder().inherit_descriptors(true), "inherit_descriptors");
    refused(builder().fault_details(true), "fault_details");
    refused(builder().forward_tracing(tracing::level_filters::LevelFilter::INFO), "forward_tracing");
    refused(builder().heartbeat(Duration::ZERO), "heartbeat");
    let workers = WorkerType::command(|_| this());
    assert!(workers == workers.clone() && workers != WorkerType::command(|_| this()));
    let limited = WorkerContext::builder().worker_type(workers.clone()).limiter(&Limiter::new(1)).open().unwrap();
    assert!(limited.worker_type() == workers);
}

pub(crate) fn a_panic_in_init_is_an_error_as_ever() {
    let context = builder().init(|| panic!("of init")).open().unwrap();
    let error = context.run_sync(|()| (), ()).wait().unwrap_err();
    assert!(matches!(&error, Error::Panicked(panic) if panic.message() == "of init"), "{error}");
}

//! The kinds of workers, and jobs of several subjects.

use offproc::{WorkerContext, WorkerType};
use offproc_tests::{Executor, job};

pub(crate) fn worker_type(workers: &str) -> WorkerType {
    match workers {
        "spawn" => WorkerType::Spawn,
        "fork_server" => WorkerType::ForkServer,
        // SAFETY: see `Case::builder`.
        "fork" => unsafe { WorkerType::fork() },
        other => panic!("no kind of worker: {other}"),
    }
}

pub(crate) fn executor_named(name: &str) -> Executor {
    Executor::ALL.into_iter().find(|known| format!("{known:?}") == name).expect("an executor")
}

pub(crate) fn context(workers: &str) -> WorkerContext {
    WorkerContext::builder().worker_type(worker_type(workers)).init(note_at_exit).open().expect("a valid context")
}

/// In a folder where such notes are wanted.
pub(crate) fn note_at_exit() {
    extern "C" fn note() {
        if std::path::Path::new("trace").exists() {
            offproc_tests::scratch::append("trace", "bye ");
        }
    }
    // SAFETY: `note` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(note) }, 0);
}

pub(crate) fn say_pid_and_spin(_: ()) {
    job::block_all_signals();
    say_pid(());
    job::spin();
}

pub(crate) fn say_pid(_: ()) {
    println!("{}", std::process::id());
}

pub(crate) fn say_nothing(_: ()) {}

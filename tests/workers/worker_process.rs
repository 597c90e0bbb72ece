//! What a job finds around it in its worker.

use offproc_tests::{Case, WorkerKind, job, matrix};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

matrix!(
    has_an_empty_stdin,
    ignores_sigint_and_what_the_program_was_started_to_ignore,
    has_a_name_of_its_own,
    has_the_environment_and_directory_of_the_program,
    hands_nothing_of_offproc_s_to_grandchildren,
    has_one_thread,
    has_run_the_constructors_of_the_program,
);

async fn has_an_empty_stdin(case: Case) {
    let context = case.context();
    let read = |()| {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|e| e.to_string())
    };
    assert_eq!(context.run_sync(read, ()).await.unwrap(), Ok(String::new()));
    context.close().await.unwrap();
}

/// The signals that a process ignores and those that it blocks.
fn signal_masks(_: ()) -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    (mask("SigIgn:"), mask("SigBlk:"))
}

async fn ignores_sigint_and_what_the_program_was_started_to_ignore(case: Case) {
    let (at_start, _) = signal_masks(());
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    context.run_sync(job::raise, libc::SIGINT).await.unwrap();
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid, "it lives on");
    let (ignored, blocked) = context.run_sync(signal_masks, ()).await.unwrap();
    let expected = [libc::SIGINT, libc::SIGPIPE].iter().fold(at_start, |mask, signal| mask | 1 << (signal - 1));
    // The C library keeps 32 and 33 for itself, and no program can change them.
    let changeable = !(0b11 << 31);
    assert_eq!((ignored & changeable, blocked), (expected & changeable, 0), "SIGPIPE is ignored in every Rust program");
    context.close().await.unwrap();
}

async fn has_a_name_of_its_own(case: Case) {
    let context = case.context();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    assert_eq!(offproc_tests::process::name(pid).as_deref(), Some("offproc-worker"));
    context.close().await.unwrap();
}

async fn has_the_environment_and_directory_of_the_program(case: Case) {
    type World = (BTreeMap<String, String>, String, Vec<String>);
    fn world(_: ()) -> World {
        let directory = std::env::current_dir().unwrap().display().to_string();
        (std::env::vars().collect(), directory, std::env::args().collect())
    }
    let context = case.context();
    assert_eq!(context.run_sync(world, ()).await.unwrap(), world(()));
    context.close().await.unwrap();
}

/// What a shell sees, started by a job: its environment, and its descriptors beyond the standard three.
fn look_around(_: ()) -> (String, String) {
    let run = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    (run("env"), run("for fd in /proc/$$/fd/*; do readlink $fd; done"))
}

async fn hands_nothing_of_offproc_s_to_grandchildren(case: Case) {
    let context = case.context();
    let (environment, descriptors) = context.run_sync(look_around, ()).await.unwrap();
    assert!(!environment.contains("OFFPROC_WORKER"), "{environment}");
    let kinds = ["socket:", "memfd:offproc", "anon_inode:"];
    assert!(!descriptors.lines().any(|line| kinds.iter().any(|kind| line.contains(kind))), "{descriptors}");
    context.close().await.unwrap();
}

async fn has_one_thread(case: Case) {
    let context = case.context();
    let threads = |()| std::fs::read_dir("/proc/self/task").unwrap().count();
    // Where the kernel does not end it with its parent, a thread does.
    let own = usize::from(cfg!(offproc_portable));
    assert_eq!(context.run_sync(threads, ()).await.unwrap(), 1 + own);
    context.close().await.unwrap();
}

static CONSTRUCTED: AtomicBool = AtomicBool::new(false);

extern "C" fn construct() {
    CONSTRUCTED.store(true, Ordering::Relaxed);
}

// SAFETY: the section holds pointers to such functions, which run once, before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

async fn has_run_the_constructors_of_the_program(case: Case) {
    let context = case.context();
    assert!(context.run_sync(|()| CONSTRUCTED.load(Ordering::Relaxed), ()).await.unwrap());
    if case.workers() != WorkerKind::Fork {
        CONSTRUCTED.store(false, Ordering::Relaxed);
        let other = case.context();
        assert!(other.run_sync(|()| CONSTRUCTED.load(Ordering::Relaxed), ()).await.unwrap(), "in the worker itself");
        other.close().await.unwrap();
    }
    context.close().await.unwrap();
}

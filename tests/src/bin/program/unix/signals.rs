//! Signals, and the terminal.

use super::workers::{context, worker_type};
use futures::executor::block_on;
use offproc::{WorkerContext, run_sync};
use offproc_tests::job;
use std::time::Duration;

/// Is stopped by a job, for a while and longer than the job may take, alone or with its group.
pub(crate) fn stop(workers: &str, how: &str) {
    const LIMIT: Duration = Duration::from_secs(2);
    let context = context(workers);
    block_on(async { context.run_sync(|()| (), ()).await }).expect("a worker");
    let stops = |process: i32| {
        // SAFETY: it takes numbers.
        unsafe { libc::kill(process, libc::SIGSTOP) };
        (0..50).for_each(|_| std::thread::sleep(Duration::from_millis(10)));
    };
    let start = std::time::Instant::now();
    let call =
        context.run_sync(stops, if how == "alone" { std::process::id().cast_signed() } else { 0 }).time_limit(LIMIT);
    match how {
        "endless" => {
            let endless = |()| -> () {
                // SAFETY: as above.
                unsafe { libc::kill(0, libc::SIGSTOP) };
                job::spin()
            };
            let late = block_on(context.run_sync(endless, ()).time_limit(LIMIT));
            assert!(matches!(late, Err(offproc::Error::TimedOut)), "{late:?}");
        }
        "timeout" => {
            block_on(context.run_sync(stops, 0).timeout(LIMIT)).expect("a job of half a second");
        }
        "deadline" => {
            let late =
                block_on(context.run_sync(stops, 0).deadline(start + LIMIT)).expect_err("it is not over by then");
            assert_eq!(late.station(), Some(offproc::Station::Running), "{late:?}");
        }
        _ => block_on(call).expect("a job of half a second"),
    }
    assert!(start.elapsed() > LIMIT, "it was to be stopped");
}

/// A job whose worker is in the background of the terminal has a program turn off the echo and read a line.
pub(crate) fn ask_the_terminal(workers: &str, how: &str) {
    let builder = WorkerContext::builder().worker_type(worker_type(workers));
    let builder = match how {
        "kill-tree" => builder.kill_tree(true),
        "own-group" => builder.signals(offproc::Signals::OwnGroup),
        other => panic!("no such setting: {other}"),
    };
    let context = builder.open().expect("a valid context");
    let ask = |()| {
        let script = "stty -echo </dev/tty && read line </dev/tty";
        std::process::Command::new("sh").args(["-c", script]).status().expect("a shell").success()
    };
    assert!(!block_on(context.run_sync(ask, ())).expect("the job ends"), "it cannot read there");
    block_on(context.close()).expect("a clean end");
}

/// Ignored, handled, and blocked.
fn look_at_dispositions(_: ()) -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).expect("a field").trim().to_owned();
    [field("SigIgn:"), field("SigCgt:"), field("SigBlk:")].join(" ")
}

/// Which signals are ignored, handled and blocked in a new worker, after the program has changed its own.
pub(crate) fn dispositions(workers: &str) {
    extern "C" fn handle(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe {
        libc::signal(libc::SIGHUP, handle as extern "C" fn(i32) as usize);
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
    }
    job::block_all_signals();
    let nested = |()| block_on(run_sync(look_at_dispositions, ())).expect("a worker's worker");
    let context = WorkerContext::builder().worker_type(worker_type(workers)).open().expect("a valid context");
    println!("{}", block_on(context.run_sync(look_at_dispositions, ())).expect("a worker"));
    if workers == "spawn" {
        println!("{}", block_on(context.run_sync(nested, ())).expect("a worker"));
    }
    block_on(context.close()).expect("a clean end");
}

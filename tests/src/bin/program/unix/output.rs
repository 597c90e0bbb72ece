//! What workers and the program print and log.

use super::workers::worker_type;
use futures::executor::block_on;
use offproc::{WorkerContext, run_sync};
use offproc_tests::captured::Captured;
use offproc_tests::job;
use std::io::Write;
use std::time::Duration;

/// A worker says a lot on its stderr; then the program ends.
pub(crate) fn complain(how: &str) {
    let complain = |()| (1..=6_000).for_each(|line| eprintln!("complaint {line}"));
    let complain_and_die = |()| {
        (1..=6_000).for_each(|line| eprintln!("complaint {line}"));
        job::end_at_once(1);
    };
    let context = WorkerContext::builder().keep_stderr(true).open().expect("a valid context");
    let call = match how {
        "dead" => context.run_sync(complain_and_die, ()),
        _ => context.run_sync(complain, ()),
    };
    assert_eq!(block_on(call).is_ok(), how != "dead");
    println!("ends");
    if how == "exit" {
        std::process::exit(0);
    }
}

/// Ends while its worker still says something.
pub(crate) fn log() {
    use tracing::level_filters::LevelFilter;

    let _captured = Captured::globally_with(|said| {
        if said.target != "offproc" {
            println!("{}", said.message);
        }
    });
    let say_much = || {
        (0..3000).for_each(|n| tracing::info!("{n}"));
        true
    };
    let builder = WorkerContext::builder().forward_tracing(LevelFilter::INFO).retire(say_much);
    builder.open().expect("a valid context").run_sync(|()| (), ()).wait().expect("a result");
}

/// Four workers and the program itself print lines at once, std in several pieces each.
pub(crate) fn chatter() {
    const LINES: usize = 1000;
    let chatter = |who: u32| {
        for line in 0..LINES {
            eprint!("worker {who} says ");
            // Now and then for long enough that the first half is read without the other.
            if line % 20 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            eprintln!("a line of some length");
        }
    };
    let context = WorkerContext::builder().keep_stderr(true).open().expect("a valid context");
    let limiter = offproc::Limiter::new(4);
    std::thread::scope(|scope| {
        for who in 0..4 {
            let call = context.run_sync(chatter, who).limiter(&limiter);
            scope.spawn(|| block_on(call).expect("a worker"));
        }
        let who = "program";
        (0..LINES).for_each(|_| eprintln!("the {who} says a line of some length"));
    });
}

/// What the program has not written yet, when its worker is forked, is for the program to write.
pub(crate) fn print_before_fork() {
    let context = WorkerContext::builder().worker_type(worker_type("fork")).open().expect("a valid context");
    print!("from the program; ");
    // SAFETY: text without any `%`.
    unsafe { libc::printf(c"from C; ".as_ptr()) };
    let prints = |()| print!("the job; ");
    block_on(context.run_sync(prints, ())).expect("a worker");
    println!("and again");
}

pub(crate) fn print() {
    let prints = |()| {
        print!("from the worker, ");
        eprint!("and its stderr");
    };
    print!("from the program, ");
    std::io::stdout().flush().expect("stdout");
    block_on(async { run_sync(prints, ()).await }).expect("a worker");
    println!("and again");
}

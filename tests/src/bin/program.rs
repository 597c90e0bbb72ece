//! A program that uses offproc, for tests that watch one from outside. Its first argument says what it does.

use futures::executor::block_on;
use futures::future::{join, join_all};
use offproc::{Limiter, WorkerContext, WorkerType, run_sync};
use offproc_tests::job;
use std::io::Write;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["linger", workers] => linger(workers),
        ["end", workers, how] => end(workers, how),
        ["exit-before-the-verdict"] => exit_before_the_verdict(),
        ["print"] => print(),
        ["without-its-file"] => without_its_file(),
        _ => println!("main ran"),
    }
}

fn context(workers: &str) -> WorkerContext {
    let workers = match workers {
        "spawn" => WorkerType::Spawn,
        "fork_server" => WorkerType::ForkServer,
        // SAFETY: see `Case::builder`.
        "fork" => unsafe { WorkerType::fork() },
        other => panic!("no kind of worker: {other}"),
    };
    WorkerContext::builder().worker_type(workers).init(note_at_exit).open().expect("a valid context")
}

fn note_at_exit() {
    extern "C" fn note() {
        offproc_tests::scratch::append("trace", "bye ");
    }
    // SAFETY: `note` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(note) }, 0);
}

fn say_pid_and_spin(_: ()) {
    job::block_all_signals();
    say_pid(());
    job::spin();
}

fn say_pid(_: ()) {
    println!("{}", std::process::id());
}

/// Two idle workers and two that cannot be disturbed say their process ids; then nothing more happens.
fn linger(workers: &str) {
    let context = context(workers);
    let four = Limiter::new(4);
    let call = |f| {
        let call = context.run_sync(f, ()).limiter(&four);
        async move { call.await }
    };
    block_on(async {
        let busy = join_all([call(say_pid_and_spin), call(say_pid_and_spin)]);
        let idle = join_all([call(say_pid), call(say_pid)]);
        join(busy, idle).await;
    });
}

/// Leaves an idle worker, and an abandoned job that never ends.
fn end(workers: &str, how: &str) {
    let context = context(workers);
    let two = Limiter::new(2);
    block_on(async { context.run_sync(|()| (), ()).limiter(&two).await }).expect("a worker");
    block_on(async { run_sync(|()| (), ()).await }).expect("a worker of the default context");
    if how != "idle" {
        let mut call = context.run_sync(|()| -> () { job::spin() }, ()).limiter(&two).into_future();
        block_on(async {
            assert!(futures::poll!(&mut call).is_pending());
        });
        drop(call);
    }
    match how {
        "exit" => std::process::exit(0),
        "panic" => panic!("the program gives up"),
        _ => {}
    }
}

/// Exits while a call waits for a `retire` function to end.
fn exit_before_the_verdict() {
    let retire = || {
        std::thread::sleep(Duration::from_secs(1));
        false
    };
    let context = WorkerContext::builder().retire(retire).open().expect("a valid context");
    block_on(async {
        context.run_sync(|()| (), ()).await.expect("a worker");
        let mut second = context.run_sync(|()| (), ()).into_future();
        assert!(futures::poll!(&mut second).is_pending());
        std::process::exit(0);
    });
}

fn print() {
    let prints = |()| {
        print!("from the worker, ");
        eprint!("and its stderr");
    };
    print!("from the program, ");
    std::io::stdout().flush().expect("stdout");
    block_on(async { run_sync(prints, ()).await }).expect("a worker");
    println!("and again");
}

fn without_its_file() {
    std::fs::remove_file(std::env::current_exe().expect("its file")).expect("it may be removed");
    let calls = async { run_sync(|n: u8| n + 1, 1).time_limit(Duration::from_secs(30)).await };
    println!("{}", block_on(calls).expect("a worker"));
}

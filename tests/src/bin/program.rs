//! A program that uses offproc, for tests that watch one from outside. Its first argument says what it does.

use futures::executor::block_on;
use futures::future::{Either, join, join_all, select};
use offproc::{Limiter, WorkerContext, WorkerType, run_sync};
use offproc_tests::process::Family;
use offproc_tests::rendezvous::arrive;
use offproc_tests::waiting::blocking_until;
use offproc_tests::{Executor, job};
use std::io::Write;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["linger", workers] => linger(workers),
        ["end", workers, how] => end(workers, Executor::FuturesBlockOn, how),
        ["end", workers, executor, how] => end(workers, executor_named(executor), how),
        ["tree", workers, how] => tree(workers, how),
        ["exit-before-the-verdict"] => exit_before_the_verdict(),
        ["go", workers, executor, how] => go(workers, executor, how),
        ["go-before-hello"] => go_before_hello(),
        ["out-of-memory", group] => out_of_memory(group),
        ["complain", how] => complain(how),
        ["print"] => print(),
        ["give-up-starts"] => give_up_starts(),
        ["without-its-file"] => without_its_file(),
        ["attack", command @ ..] => attack(command),
        _ => println!("main ran"),
    }
}

/// Starts a command as if it were a worker of this process; exits as it does.
fn attack(command: &[&str]) {
    // Hung up at once, so that what takes itself for a worker leaves in peace.
    let (_, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let status = std::process::Command::new(command[0])
        .args(&command[1..])
        .env("OFFPROC_WORKER", "1")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .status()
        .expect("the command can be started");
    std::process::exit(status.code().unwrap_or(-1));
}

fn worker_type(workers: &str) -> WorkerType {
    match workers {
        "spawn" => WorkerType::Spawn,
        "fork_server" => WorkerType::ForkServer,
        // SAFETY: see `Case::builder`.
        "fork" => unsafe { WorkerType::fork() },
        other => panic!("no kind of worker: {other}"),
    }
}

fn executor_named(name: &str) -> Executor {
    Executor::ALL.into_iter().find(|known| format!("{known:?}") == name).expect("an executor")
}

fn context(workers: &str) -> WorkerContext {
    WorkerContext::builder().worker_type(worker_type(workers)).init(note_at_exit).open().expect("a valid context")
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

/// Asks a fork server for workers, and does not wait for them.
fn give_up_starts() {
    let context = context("fork_server");
    let narrow = Limiter::new(1);
    block_on(async { context.run_sync(say_nothing, ()).await }).expect("a first worker");
    // The first worker has something to do meanwhile.
    let mut busy = context.run_sync(|()| -> () { job::spin() }, ()).kill_on_cancel(true).into_future();
    block_on(async {
        assert!(futures::poll!(&mut busy).is_pending());
        for _ in 0..100 {
            let mut call = context.run_sync(say_nothing, ()).limiter(&narrow).into_future();
            let _ = futures::poll!(&mut call);
        }
    });
    block_on(async { context.run_sync(say_nothing, ()).limiter(&narrow).await }).expect("one more worker");
}

fn say_nothing(_: ()) {}

/// Leaves an idle worker, and an abandoned job that never ends.
fn end(workers: &str, executor: Executor, how: &str) {
    let context = context(workers);
    let is_idle = how == "idle";
    // It goes on after the runtime has ended.
    let _context = executor.block_on(async move {
        let two = Limiter::new(2);
        context.run_sync(|()| (), ()).limiter(&two).await.expect("a worker");
        run_sync(|()| (), ()).await.expect("a worker of the default context");
        if !is_idle {
            let mut call = context.run_sync(|()| -> () { job::spin() }, ()).limiter(&two).into_future();
            assert!(futures::poll!(&mut call).is_pending());
        }
        context
    });
    match how {
        "exit" => std::process::exit(0),
        "panic" => panic!("the program gives up"),
        _ => {}
    }
}

/// Has a thread start workers of every state: two idle ones, one that is busy and deaf, one that is stopped, one in
/// `init`, and a fork server in `preload`. When they are there, says the other end of stdin, the thread ends, and then
/// the program, as it is told.
fn go(workers: &str, executor: &str, how: &str) {
    let executor = executor_named(executor);
    let workers = worker_type(workers);
    let thread = std::thread::spawn(move || {
        executor.block_on(async move {
            let context = WorkerContext::builder().worker_type(workers).open().expect("a valid context");
            let deaf = || job::arrive_and_spin_deaf("arrivals".to_owned());
            let in_init = WorkerContext::builder().worker_type(workers).init(deaf).open().expect("a valid context");
            let preloads = WorkerContext::builder().worker_type(workers).preload(deaf).open().expect("a valid context");
            let enough = Limiter::new(6);
            let call = |context: &WorkerContext, f: fn(String), ticket: &str| {
                context.run_sync(f, ticket.to_owned()).limiter(&enough).into_future()
            };
            let mut calls = vec![
                call(&context, |ticket| arrive(&ticket), "arrivals"),
                call(&context, |ticket| arrive(&ticket), "arrivals"),
                call(&context, job::arrive_and_spin_deaf, "arrivals"),
                call(&in_init, |_| (), ""),
                call(&context, arrive_and_stop, "stopped"),
            ];
            if workers == WorkerType::ForkServer {
                calls.push(call(&preloads, |_| (), ""));
            }
            let told = smol::unblock(|| std::io::stdin().read_line(&mut String::new()));
            let (line, calls) = match select(told, join_all(calls)).await {
                Either::Left((line, calls)) => (line, calls),
                Either::Right(_) => panic!("not all of the calls can end"),
            };
            line.expect("stdin");
            // What is dropped would be ended, or abandoned.
            std::mem::forget((calls, context, in_init, preloads));
        });
    });
    thread.join().expect("the workers are there");
    println!("ready");
    match how {
        "SIGTERM" | "SIGKILL" => loop {
            std::thread::park();
        },
        "panic" => panic!("the program gives up"),
        "exit" => drop(std::thread::spawn(|| std::process::exit(1)).join()),
        "abort" => drop(std::thread::spawn(|| std::process::abort()).join()),
        "return" => {}
        other => panic!("no way to go: {other}"),
    }
}

fn arrive_and_stop(ticket: String) {
    arrive(&ticket);
    job::raise(libc::SIGSTOP);
}

/// Starts a worker and does not get to say its hello.
fn go_before_hello() {
    let mut call = run_sync(|()| (), ()).into_future();
    block_on(async { assert!(futures::poll!(&mut call).is_pending()) });
    // A thread starts it, and the next poll would say hello.
    blocking_until(|| !Family::now().is_empty(), || "there is no worker".to_owned());
    println!("{}", Family::now().pids()[0]);
    loop {
        std::thread::park();
    }
}

/// A worker, its child and its grandchild say their process ids; then the program goes on as it is told.
fn tree(workers: &str, how: &str) {
    fn stay() {
        job::block_all_signals();
        say_pid(());
        job::sleep();
    }
    fn start(_: ()) {
        job::fork_and(|| {
            job::fork_and(stay);
            stay();
        });
        say_pid(());
    }
    let context =
        WorkerContext::builder().worker_type(worker_type(workers)).kill_tree(true).open().expect("a valid context");
    let start_and_stay = |()| -> () {
        start(());
        job::sleep();
    };
    // All three are there by the time that there is a line.
    let wait = || std::io::stdin().read_line(&mut String::new()).expect("stdin");
    if how == "idle" {
        block_on(async { context.run_sync(start, ()).await }).expect("a worker");
        wait();
        return;
    }
    std::thread::spawn(move || {
        wait();
        std::process::exit(0);
    });
    block_on(async { context.run_sync(start_and_stay, ()).await }).expect("it never ends");
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

/// Joins a group with little memory, where a worker dies of a signal, another of want of memory, and one more of a
/// signal.
fn out_of_memory(group: &str) {
    let eat = |()| {
        let mut all = Vec::new();
        loop {
            all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    };
    let eat: fn(()) = eat;
    let oom_killed = |end: Result<(), offproc::Error>| match end {
        Err(offproc::Error::BrokenWorker(death)) => death.oom_killed(),
        other => panic!("not a broken worker: {other:?}"),
    };
    std::fs::write(format!("{group}/cgroup.procs"), std::process::id().to_string()).expect("it may join");
    block_on(async {
        let first = oom_killed(run_sync(job::raise, libc::SIGKILL).await);
        let second = oom_killed(run_sync(eat, ()).await);
        let third = oom_killed(run_sync(job::raise, libc::SIGKILL).await);
        println!("{first:?} {second:?} {third:?}");
    });
}

/// A worker says a lot on its stderr; then the program ends.
fn complain(how: &str) {
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
    assert_eq!(block_on(async { call.await }).is_ok(), how != "dead");
    println!("ends");
    if how == "exit" {
        std::process::exit(0);
    }
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

//! The program ends while workers are in every state of their start and of their jobs.

use crate::workers::{executor_named, say_nothing, say_pid_and_spin, worker_type};
use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use offproc::{Limiter, WorkerContext, WorkerType};
use offproc_tests::job;
use offproc_tests::process::{Family, is_asleep, is_stopped, name, send};
use offproc_tests::rendezvous::arrive;
use offproc_tests::waiting::blocking_until;
use rustix::process::Signal;

/// Has a thread start workers of every state: two idle ones, one that is busy and deaf, one that is stopped, one in
/// `init`, and a fork server in `preload`. When they are there, says the other end of stdin, the thread ends, and then
/// the program, in the way that the arguments name.
pub(crate) fn go(workers: &str, executor: &str, how: &str) {
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
            let ordered = smol::unblock(|| std::io::stdin().read_line(&mut String::new()));
            let (line, calls) = match select(ordered, join_all(calls)).await {
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

/// Has a worker that waits for its hello, or has it to read but is stopped, and a fork that holds all that was not
/// closed in it. Prints their process ids. `how`: whether the hello is sent, and whether the first thread is there.
pub(crate) fn go_before_hello(workers: &str, how: &str) {
    let deaf: fn() = || say_pid_and_spin(());
    let context = WorkerContext::builder().worker_type(worker_type(workers)).retire_after_jobs(1..=1);
    let mut call = if workers == "fork_server" {
        // One is forked ahead of the call that says hello to it.
        let is_first: fn() = || {
            if std::env::var_os("IS_FIRST").is_none() {
                say_pid_and_spin(());
            }
        };
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var("IS_FIRST", "yes") };
        let context = context.init(is_first).open().expect("a valid context");
        block_on(async { context.run_sync(say_nothing, ()).await }).expect("a first worker");
        // SAFETY: offproc's threads do not look at the environment while no call is polled.
        unsafe { std::env::remove_var("IS_FIRST") };
        blocking_until(|| Family::now().named("offproc-spare").len() == 1, || "no worker is forked ahead".to_owned());
        blocking_until(|| Family::now().pids().len() == 2, || "the first worker does not leave".to_owned());
        context.run_sync(say_nothing, ()).into_future()
    } else {
        let mut call = context.init(deaf).open().expect("a valid context").run_sync(say_nothing, ()).into_future();
        block_on(async { assert!(futures::poll!(&mut call).is_pending()) });
        // A thread starts it, and the next poll would say hello.
        blocking_until(|| !Family::now().is_empty(), || "there is no worker".to_owned());
        call
    };
    let family = Family::now();
    let waiting = family.named("offproc-spare").first().copied().unwrap_or_else(|| family.pids()[0]);
    if how.contains("sent") {
        if workers == "spawn" {
            // Until it executes its file, it has the name of the thread that starts it, which waits for that.
            let is_started = || name(waiting).is_some_and(|name| !["offproc-start", "offproc-spawn"].contains(&&*name));
            blocking_until(is_started, || format!("{waiting} is not executed"));
        }
        send(waiting, Signal::STOP);
        blocking_until(|| is_stopped(waiting), || format!("{waiting} does not stop"));
        let mut is_sent = || {
            block_on(async { assert!(futures::poll!(&mut call).is_pending()) });
            // Nor is it what the fork server has not read yet.
            let others_are_asleep = Family::now().fork_servers().into_iter().all(is_asleep);
            others_are_asleep && (3..64).any(is_unread)
        };
        blocking_until(&mut is_sent, || "the hello is not sent".to_owned());
    }
    // SAFETY: the child only waits.
    let fork = unsafe { libc::fork() };
    if fork == 0 {
        loop {
            // SAFETY: it has no preconditions.
            unsafe { libc::pause() };
        }
    }
    let fork = fork.unsigned_abs();
    // Until it has run, it has all descriptors of the program.
    blocking_until(|| is_asleep(fork), || "the fork does not pause".to_owned());
    println!("{waiting}\n{fork}");
    if how.contains("thread") {
        // SAFETY: it ends this thread alone. What is on its stack is there for ever.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
    loop {
        std::thread::park();
    }
}

/// True for a socket that has sent what the other side has not read.
fn is_unread(fd: i32) -> bool {
    let mut bytes: i32 = 0;
    // SAFETY: a place for a number. A descriptor that is none, or of something else, is an error.
    (unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) }) == 0 && bytes > 0
}

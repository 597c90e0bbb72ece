//! The program ends while workers are in every state of their start and of their jobs.

use super::workers::{executor_named, worker_type};
use futures::future::{Either, join_all, select};
use offproc::{Limiter, WorkerContext, WorkerType};
use offproc_tests::job;
use offproc_tests::rendezvous::arrive;

/// Has a thread start workers of every state: two idle ones, one that is busy and deaf, one that is stopped, one in
/// `init`, and a fork server in `preload`. When they are there, says the other end of stdin, the thread ends, and then
/// the program, in the way that the arguments name.
pub(crate) fn go(workers: &str, executor: &str, how: &str) {
    let executor = executor_named(executor);
    let workers = worker_type(workers);
    let thread = std::thread::spawn(move || {
        executor.block_on(async move {
            let context = WorkerContext::builder().worker_type(workers.clone()).open().expect("a valid context");
            let deaf = || job::arrive_and_spin_deaf("arrivals".to_owned());
            let in_init =
                WorkerContext::builder().worker_type(workers.clone()).init(deaf).open().expect("a valid context");
            let preloads =
                WorkerContext::builder().worker_type(workers.clone()).preload(deaf).open().expect("a valid context");
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

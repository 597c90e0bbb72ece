//! Ends of the program with workers of all kinds.

use super::workers::{context, say_nothing, say_pid, say_pid_and_spin, worker_type};
use futures::executor::block_on;
use futures::future::{join, join_all};
use offproc::{Limiter, WorkerContext, run_sync};
use offproc_tests::process::Family;
use offproc_tests::waiting::blocking_until;
use offproc_tests::{Executor, job};
use std::time::Duration;

/// Two idle workers and two that cannot be disturbed say their process ids; then nothing more happens.
pub(crate) fn linger(workers: &str) {
    let context = context(workers);
    let four = Limiter::new(4);
    let call = |f| context.run_sync(f, ()).limiter(&four);
    block_on(async {
        let busy = join_all([call(say_pid_and_spin), call(say_pid_and_spin)]);
        let idle = join_all([call(say_pid), call(say_pid)]);
        join(busy, idle).await;
    });
}

/// So many busy and deaf workers say their process ids.
pub(crate) fn busy(workers: &str, count: usize) {
    let (context, limiter) = (context(workers), Limiter::new(count));
    block_on(join_all((0..count).map(|_| context.run_sync(say_pid_and_spin, ()).limiter(&limiter))));
}

/// Asks a fork server for workers, and does not wait for them.
pub(crate) fn give_up_starts() {
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

/// Leaves an idle worker, and an abandoned job that never ends.
pub(crate) fn end(workers: &str, executor: Executor, how: &str) {
    let context = context(workers);
    let (is_idle, is_in_grace) = (how == "idle", how == "in-grace");
    // It goes on after the runtime has ended.
    let _context = executor.block_on(async move {
        let two = Limiter::new(2);
        context.run_sync(|()| (), ()).limiter(&two).await.expect("a worker");
        run_sync(|()| (), ()).await.expect("a worker of the default context");
        if !is_idle {
            let mut call = context.run_sync(|()| -> () { job::spin() }, ()).limiter(&two);
            if is_in_grace {
                call = call.kill_on_cancel(true).cancel_grace(Duration::from_secs(600));
            }
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

/// Exits while a call waits for a `retire` function to end.
pub(crate) fn exit_before_the_verdict() {
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

/// A worker, its child and its grandchild say their process ids; then the program goes on as its argument says.
pub(crate) fn tree(workers: &str, how: &str) {
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

/// Has an idle worker, one that is busy and deaf, and a copy that offproc does not know of.
pub(crate) fn clone(workers: &str) {
    let context = context(workers);
    let two = Limiter::new(2);
    let busy = context.run_sync(say_pid_and_spin, ()).limiter(&two);
    std::thread::spawn(move || block_on(busy));
    blocking_until(|| Family::now().workers().len() == 1, || "there is no worker".to_owned());
    block_on(async { context.run_sync(say_pid, ()).limiter(&two).await }).expect("another worker");
    // SAFETY: without a stack, it is a plain fork; the copy makes system calls only.
    let copy = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0_usize, 0_usize, 0_usize, 0_usize) };
    if copy == 0 {
        loop {
            // SAFETY: it has no preconditions.
            unsafe { libc::pause() };
        }
    }
    println!("copy {copy}");
    loop {
        std::thread::park();
    }
}

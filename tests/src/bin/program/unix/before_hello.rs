//! The program ends while a worker has not read its hello.

use super::workers::{say_pid_and_spin, worker_type};
use futures::executor::block_on;
use futures::future::poll_fn;
use offproc_core::{LogForwarder, LogForwarding, LogHooks, LogSink, RuntimeSelector, Settings, Worker};
use offproc_tests::process::{Family, is_asleep, is_stopped, send};
use offproc_tests::waiting::blocking_until;
use rustix::process::Signal;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

/// Has a worker that waits for its hello, or has it to read but is stopped, and a fork that holds all that was not
/// closed in it. Prints their process ids. `how`: whether the hello is sent, and whether the first thread is there.
pub(crate) fn go_before_hello(workers: &str, how: &str) {
    let (is_sent, stays) = (how.contains("sent"), !how.contains("thread"));
    let workers = worker_type(workers);
    let mut settings = Settings::default();
    settings.start.init = Some(|| say_pid_and_spin(()));
    let interposed = Arc::new(Interposed { worker: OnceLock::new(), is_sent });
    settings.log_forwarding = Some(LogForwarding::new(Arc::clone(&interposed) as Arc<dyn LogForwarder>));
    let (launcher, settings) = (workers.launcher(&settings), Arc::new(settings));
    let runtime = RuntimeSelector::fallback();
    let mut start = pin!(Worker::start(&*launcher, &settings, &runtime));
    // The hello goes out in the poll that makes it, and a start that is not polled sends nothing.
    let worker = block_on(poll_fn(|cx| {
        assert!(start.as_mut().poll(cx).is_pending(), "its worker is stopped");
        interposed.worker.get().map_or(Poll::Pending, |worker| Poll::Ready(*worker))
    }));
    assert!((3..64).any(is_unread), "the hello is not sent");
    stay_with_a_fork(worker, stays);
}

/// Is asked for something that goes into each hello, after the worker was started and before the hello is sent.
#[derive(Debug)]
struct Interposed {
    /// Once it has been asked.
    worker: OnceLock<u32>,
    is_sent: bool,
}

impl LogForwarder for Interposed {
    fn hooks(&self) -> LogHooks {
        let worker = waiting_worker();
        if !self.is_sent {
            stay_with_a_fork(worker, true);
        }
        send(worker, Signal::STOP);
        blocking_until(|| is_stopped(worker), || format!("{worker} does not stop"));
        self.worker.set(worker).expect("there is one worker");
        let nothing: fn() = || {};
        LogHooks { before_init: nothing, after_init: nothing, level_changed: nothing }
    }

    fn level(&self) -> u8 {
        0
    }

    fn sink(&self) -> Arc<dyn LogSink> {
        Arc::new(Nowhere)
    }
}

/// For the records of a worker that never gets as far as to write any.
#[derive(Debug)]
struct Nowhere;

impl LogSink for Nowhere {
    fn deliver(&self, _: &mut dyn Iterator<Item = &[u8]>) -> u64 {
        0
    }

    fn tell_dropped(&self, _: u64) -> bool {
        true
    }
}

/// The worker that was started last. The first thing that it waits for is its hello.
fn waiting_worker() -> u32 {
    let mut worker = None;
    let mut waits = || {
        let family = Family::now();
        let fork_servers = family.fork_servers();
        worker = family.pids().into_iter().find(|pid| !fork_servers.contains(pid));
        worker.is_some_and(is_asleep)
    };
    blocking_until(&mut waits, || "no worker waits for its hello".to_owned());
    worker.expect("it waits")
}

/// Forks this process, which then stays as it is, but may lose its first thread.
fn stay_with_a_fork(worker: u32, with_first_thread: bool) -> ! {
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
    println!("{worker}\n{fork}");
    if !with_first_thread {
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

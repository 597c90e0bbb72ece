//! offproc's own reactor: the process-wide one of `async-io`, which starts at its first use.
//!
//! `async-io` panics if it cannot get what its reactor needs: descriptors, a thread, system calls. So before its first
//! use, this makes the same things, and closes them again.

use crate::error::about;
use crate::sys::scheduling::Scheduling;
use crate::sys::{fd_numbers, fork, pairs};
use polling::Poller;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

/// How many descriptors it needs, and some more.
const DESCRIPTORS: usize = 8;
/// It needs one, and the system may still count a thread that has just ended.
const THREADS: usize = 2;

/// Starts the reactor if it does not run yet.
///
/// # Errors
///
/// The system has no room for its descriptors or its thread, or forbids a system call that it needs; or this is a fork,
/// which does not have its thread.
pub(crate) fn ensure() -> io::Result<()> {
    static RUNS: AtomicBool = AtomicBool::new(false);
    if fork::is_forked() {
        return Err(io::Error::other(
            "this process is a fork of one that had used offproc, and does not have offproc's threads; fork before the \
             first call, or `exec` a program in the fork",
        ));
    }
    if RUNS.load(Ordering::Acquire) {
        return Ok(());
    }
    pairs::has_room_for(DESCRIPTORS)?;
    // From a thread with the niceness and CPUs of the program, as the reactor's thread inherits those of the thread
    // that starts it.
    let first_use = std::thread::Builder::new().name("offproc-reactor".into()).spawn(|| -> io::Result<()> {
        Scheduling::of_program().adopt();
        try_its_parts()?;
        // It keeps its descriptors.
        fd_numbers::with_standard_taken(|| {
            // A timer exists in the reactor from its first poll on.
            let mut timer = async_io::Timer::after(Duration::from_secs(3600));
            let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()));
        });
        Ok(())
    })?;
    // It can still fail if other code takes a descriptor or thread in the meantime. Then the next try begins anew.
    let lacking = |_| {
        io::Error::other(
            "the reactor could not be started: there is no room for its descriptors (RLIMIT_NOFILE) or its thread \
             (RLIMIT_NPROC)",
        )
    };
    first_use.join().map_err(lacking)??;
    RUNS.store(true, Ordering::Release);
    Ok(())
}

/// The parts that it needs: a way to wait for events, and a thread besides the calling one.
fn try_its_parts() -> io::Result<()> {
    let poller = fd_numbers::with_standard_taken(Poller::new);
    poller.map_err(|e| about("the reactor cannot wait for events (epoll)", e))?;
    has_room_for_threads(THREADS).map_err(|e| about("the reactor's thread cannot be started", e))
}

/// Whether `count` more threads can be started now.
fn has_room_for_threads(count: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        let held = gate.lock();
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()));
        let started = (0..count).map(start).collect::<io::Result<Vec<_>>>();
        drop(held);
        // They count until they have ended.
        started?.into_iter().try_for_each(|thread| thread.join()).map_err(|_| io::ErrorKind::Other.into())
    })
}

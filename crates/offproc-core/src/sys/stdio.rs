//! The standard streams, without ever waiting long for their locks.
//!
//! A thread that a job has left behind may hold std's lock on stdout, or C's on one of its streams; so may a thread of
//! the program that was not copied when this process was forked. std cannot try a lock. So if there may be other
//! threads, a thread of our own takes the locks, and the caller waits for it for a limited time.

use super::flusher::{Flusher, PATIENCE, STACK};
use super::{c_streams as c, thread};
use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Whether std's lock on stdout was held at the fork that made this process, by a thread that is not here.
static IS_LOST: AtomicBool = AtomicBool::new(false);
/// Whether the process is in a sandbox, which may kill a process that counts threads or starts one.
static IS_SANDBOXED: AtomicBool = AtomicBool::new(false);
/// Whether the C library would show a thread that a job starts there: not if there were others before.
static TELLS_THREADS: AtomicBool = AtomicBool::new(true);

/// Flushes std's stdout and C's streams. False if another thread holds a lock for too long: then the output comes
/// later.
pub(crate) fn flush() -> bool {
    match has_one_thread() {
        Some(true) => {
            flush_here();
            true
        }
        _ => FLUSHER.with_borrow_mut(Flusher::flush),
    }
}

/// Call this before the sandbox: offproc starts a thread that flushes now, or never.
///
/// It does so only if there are other threads: a sandbox that applies to the calling thread alone would not apply to
/// that one, and jobs could make it do what they may not.
pub(crate) fn enter_sandbox() {
    if !c::is_single_threaded() {
        // The kernel may still count a thread that has been joined.
        let has_others = (0..10).all(|n| {
            std::thread::sleep(Duration::from_millis(n));
            has_one_thread() == Some(false)
        });
        if has_others {
            FLUSHER.with_borrow_mut(Flusher::start);
        }
        TELLS_THREADS.store(false, Ordering::Relaxed);
    }
    IS_SANDBOXED.store(true, Ordering::Relaxed);
}

/// In a fork of the program, before it prints: what the program had printed and not yet written is the program's.
pub(crate) fn forget_inherited() {
    c::forget_buffered();
    let forgotten = into_nothing(rustix::stdio::stdout(), || {
        let (done, is_done) = sync_channel(1);
        let flush = move || {
            let _ = io::stdout().flush();
            let _ = done.send(());
        };
        let thread = thread::start("offproc-flush", Some(STACK), flush).ok()?;
        is_done.recv_timeout(PATIENCE).ok()?;
        thread.join().ok()
    });
    IS_LOST.store(forgotten.is_none(), Ordering::Relaxed);
}

/// Runs `work` while stdout leads nowhere.
fn into_nothing<T>(stdout: BorrowedFd<'_>, work: impl FnOnce() -> Option<T>) -> Option<T> {
    let saved: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdout, 3).ok()?;
    let nothing = super::standard::nothing().ok()?;
    rustix::stdio::dup2_stdout(&nothing).ok()?;
    let done = work();
    rustix::stdio::dup2_stdout(saved.as_fd()).ok()?;
    done
}

fn flush_here() {
    if !IS_LOST.load(Ordering::Relaxed) {
        let _ = io::stdout().flush();
    }
    c::flush();
}

thread_local! {
    // Of the thread that runs jobs, as the thread in a fork of the process must not use another's.
    static FLUSHER: RefCell<Flusher> = const { RefCell::new(Flusher::new(flush_here)) };
}

/// Whether no other thread can hold a lock; `None` if that is not known.
fn has_one_thread() -> Option<bool> {
    if c::is_single_threaded() {
        return Some(true);
    }
    if IS_SANDBOXED.load(Ordering::Relaxed) {
        // If the C library shows one, a job has started it, so the sandbox allows threads.
        let has_others = TELLS_THREADS.load(Ordering::Relaxed) || FLUSHER.with_borrow(Flusher::has_started);
        return Some(!has_others);
    }
    // The directory has a link to itself, one from above, and one for each thread.
    rustix::fs::stat("/proc/self/task").ok().map(|task| task.st_nlink == 3)
}

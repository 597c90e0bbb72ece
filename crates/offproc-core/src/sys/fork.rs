//! Forking.
#![allow(unsafe_code)]

use super::fork_registry::ForkRegistry;
use super::{stderr, syscall};
use rustix::process::Pid;
use std::cell::RefCell;
use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Whether the program can be forked.
pub(crate) const IS_SUPPORTED: bool = true;

/// The side of a fork.
pub(crate) enum Side {
    Parent(Pid),
    Child,
}

static FORKED: AtomicBool = AtomicBool::new(false);

/// True in a fork of a process that has, or had, workers: the background thread, which looks after them, is not there.
#[inline]
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the one that its executable was started in. Counted from the first call
/// of [`lock_registry_in_forks`] on.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

thread_local! {
    // Locked from before a fork until after it.
    static LOCKED: RefCell<Option<ForkRegistry>> = const { RefCell::new(None) };
}

/// Whether forks close what is registered.
static CLOSES_REGISTERED: AtomicBool = AtomicBool::new(false);

/// `pthread_atfork`: from here on, each fork of this process closes our descriptors and knows that it is a fork.
pub(crate) fn close_registered_in_forks() {
    lock_registry_in_forks();
    CLOSES_REGISTERED.store(true, Ordering::Relaxed);
}

/// `pthread_atfork`: from here on, no fork of this process comes while the registry is locked.
pub(crate) fn lock_registry_in_forks() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // In the child they only set a flag and close descriptors.
        syscall::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child));
    });
}

extern "C" fn before() {
    // In a thread that is ending there is no place to keep them.
    let _ = LOCKED.try_with(|locked| locked.replace(Some(ForkRegistry::lock())));
}

extern "C" fn after_in_parent() {
    let _ = LOCKED.try_with(|locked| locked.take());
}

extern "C" fn after_in_child() {
    let locked = LOCKED.try_with(RefCell::take);
    GENERATION.fetch_add(1, Ordering::Relaxed);
    if !CLOSES_REGISTERED.load(Ordering::Relaxed) {
        return; // it has had no workers, and its fork may
    }
    FORKED.store(true, Ordering::Relaxed);
    if let Ok(Some(mut registry)) = locked {
        registry.close_all_in_child();
    }
}

static IS_COPY: AtomicBool = AtomicBool::new(false);

/// `pthread_atfork`: this process speaks on its channel from here on, and no fork of it does.
pub(crate) fn claim_channel() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| syscall::pthread_atfork(None, None, Some(copied)));
    IS_COPY.store(false, Ordering::Relaxed);
}

extern "C" fn copied() {
    IS_COPY.store(true, Ordering::Relaxed);
}

/// True in a fork that a job has made of its worker.
pub(crate) fn is_copy() -> bool {
    IS_COPY.load(Ordering::Relaxed)
}

/// Ends a fork that a job has made of its worker and that has returned from the job, too: the call takes one answer.
pub(crate) fn end_if_copy() {
    if is_copy() {
        stderr::say("a fork of a worker has returned from its job and ends here; the worker itself answers");
        exit_at_once(0);
    }
}

/// `fork`: makes a copy of this process with one thread, the calling one.
///
/// # Safety
///
/// In a process with other threads, the child must not take a lock that one of them may have held at the fork; the
/// caller guarantees that.
pub(crate) unsafe fn fork() -> io::Result<Side> {
    // SAFETY: the caller's obligation, passed on.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Pid::from_raw(pid).map_or(Side::Child, Side::Parent)),
    }
}

/// `/proc/self/task`: how many threads this process has; `None` if the system does not report it.
pub(super) fn count_threads() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").map(Iterator::count).ok()
}

/// The proof that this process has one thread, as long as its owner starts none.
pub(crate) struct SingleThreaded(());

impl SingleThreaded {
    /// The error is the number of threads. If the system does not report it, this assumes one.
    pub(crate) fn check() -> Result<Self, usize> {
        match count_threads() {
            Some(threads) if threads > 1 => Err(threads),
            _ => Ok(Self(())),
        }
    }

    pub(crate) fn fork(&self) -> io::Result<Side> {
        // Also flush what was printed by way of C, or the child would print it again.
        // SAFETY: null means all streams.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        // SAFETY: there is no other thread that could hold a lock.
        unsafe { fork() }
    }
}

/// `_exit`: ends the process without running `atexit` handlers, which a fork inherits, and which are the program's.
pub(crate) fn exit_at_once(code: i32) -> ! {
    syscall::exit_now(code)
}

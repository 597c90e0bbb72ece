//! Jobs that many tests use.

use crate::rendezvous::{arrive, pass};
use crate::scratch::append;
#[cfg(unix)]
use rustix::process::{Signal, getpid, kill_process};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The worker's process id.
#[must_use]
pub fn pid(_: ()) -> u32 {
    std::process::id()
}

/// The worker's process, which is no other one: a number is used again once its process has ended, on some systems
/// soon.
#[must_use]
pub fn process(_: ()) -> (u32, SystemTime) {
    static FIRST_ASKED: OnceLock<(u32, SystemTime)> = OnceLock::new();
    *FIRST_ASKED.get_or_init(|| (std::process::id(), SystemTime::now()))
}

/// Arrives, waits at a gate and leaves a trace: ticket, gate, trace.
pub fn work((ticket, gate, trace): (String, String, String)) {
    arrive(&ticket);
    if pass(&gate) {
        append(&trace, "done\n");
    }
}

/// Arrives and never ends.
pub fn arrive_and_spin(ticket: String) {
    arrive(&ticket);
    spin();
}

/// Arrives and never ends, deaf to every signal that a process may block.
pub fn arrive_and_spin_deaf(ticket: String) {
    block_all_signals();
    arrive_and_spin(ticket);
}

/// Forks: the child does this, and then ends; the job goes on.
///
/// # Panics
///
/// There is no room for one more process.
#[cfg(unix)]
pub fn fork_and(work: impl FnOnce()) {
    // SAFETY: a worker has one thread, so its child may go on as any process may.
    match unsafe { libc::fork() } {
        0 => {
            work();
            end_at_once(0);
        }
        child => assert!(child > 0, "a job may fork"),
    }
}

/// Never ends.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Never ends, and takes no time for it.
pub fn sleep() -> ! {
    loop {
        std::thread::park();
    }
}

/// Blocks all signals that can be blocked.
#[cfg(unix)]
pub fn block_all_signals() {
    // SAFETY: an all-zeroes set is valid memory for `sigfillset`, which fills it; `sigprocmask` reads it.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// There are none.
#[cfg(windows)]
pub fn block_all_signals() {}

/// Sends its own process a signal.
///
/// # Panics
///
/// There is no such signal.
#[cfg(unix)]
pub fn raise(signal: i32) {
    let signal = Signal::from_named_raw(signal).expect("a signal");
    kill_process(getpid(), signal).expect("it is our own process");
}

/// Dies by itself, as no job that returns or panics does.
#[cfg(unix)]
pub fn die(_: ()) {
    raise(libc::SIGKILL);
}

/// Dies by itself, as no job that returns or panics does.
#[cfg(windows)]
pub fn die(_: ()) {
    end_at_once(9);
}

/// How the report of a worker begins that has died so.
pub const DIED: &str = if cfg!(unix) { "was killed by SIGKILL" } else { "exited with code 9" };

/// How the report of a worker begins that was killed.
pub const KILLED: &str = if cfg!(unix) { "was killed by SIGKILL" } else { "was killed" };

/// Ends the process on the spot, without any work at exit.
#[cfg(unix)]
pub fn end_at_once(code: i32) {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) };
}

/// Ends the process on the spot.
#[cfg(windows)]
pub fn end_at_once(code: i32) {
    std::process::exit(code);
}

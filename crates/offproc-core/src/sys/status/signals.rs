//! Exit statuses of systems with signals.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// "exited with code 42", or "was killed by SIGSEGV (core dumped)".
pub(crate) fn describe(status: ExitStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (status.code(), status.signal()) {
        (Some(code), _) => write!(f, "exited with code {code}"),
        (None, Some(signal)) => {
            match name(signal) {
                Some(name) => write!(f, "was killed by {name}")?,
                None => write!(f, "was killed by signal {signal}")?,
            }
            if status.core_dumped() { f.write_str(" (core dumped)") } else { Ok(()) }
        }
        (None, None) => write!(f, "ended with {status}"),
    }
}

/// The name of a signal; numbers differ between systems, so each is taken from the system's own headers.
fn name(signal: i32) -> Option<&'static str> {
    macro_rules! names {
        ($($name:ident)*) => { match signal { $(libc::$name => Some(stringify!($name)),)* _ => None } };
    }
    names!(SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM
        SIGTERM SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO
        SIGSYS)
}

/// The system's number for an exit status.
pub(crate) fn to_raw(status: ExitStatus) -> i32 {
    status.into_raw()
}

/// The reverse of [`to_raw`].
pub(crate) fn from_raw(raw: i32) -> ExitStatus {
    ExitStatus::from_raw(raw)
}

/// The signal that has killed the process.
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// True for SIGKILL.
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// True for SIGINT.
pub(crate) fn is_interrupt(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGINT)
}

/// True for SIGSEGV.
pub(crate) fn is_bad_access(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGSEGV)
}

/// True for SIGSYS.
pub(crate) fn is_bad_system_call(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGSYS)
}

/// Whether there is a core dump.
pub(crate) fn core_dumped(status: ExitStatus) -> bool {
    status.core_dumped()
}

//! Exit statuses in words.

use std::fmt;
use std::process::ExitStatus;

/// "exited with code 42", or "was killed by SIGSEGV (core dumped)".
#[cfg(unix)]
pub(crate) fn describe(status: ExitStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use std::os::unix::process::ExitStatusExt;
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

/// "exited with code 42".
#[cfg(not(unix))]
pub(crate) fn describe(status: ExitStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match status.code() {
        Some(code) => write!(f, "exited with code {code}"),
        None => write!(f, "ended with {status}"),
    }
}

/// The name of a signal; numbers differ between systems, so each is taken from the system's own headers.
#[cfg(unix)]
fn name(signal: i32) -> Option<&'static str> {
    macro_rules! names {
        ($($name:ident)*) => { match signal { $(libc::$name => Some(stringify!($name)),)* _ => None } };
    }
    names!(SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM
        SIGTERM SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO
        SIGSYS)
}

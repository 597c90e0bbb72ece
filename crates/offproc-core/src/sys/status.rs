//! Exit statuses in words.

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

/// True for SIGKILL.
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// Whether there is a core dump.
pub(crate) fn core_dumped(status: ExitStatus) -> bool {
    status.core_dumped()
}

/// The name of a signal's code; the C libraries do not have them all. Those for a fault are from 1 on.
pub(crate) fn code_name(signal: i32, code: i32) -> Option<&'static str> {
    let names: &[&str] = match (signal, code) {
        (_, libc::SI_USER) => return Some("SI_USER"),
        (_, libc::SI_KERNEL) => return Some("SI_KERNEL"),
        (_, libc::SI_QUEUE) => return Some("SI_QUEUE"),
        (_, libc::SI_TIMER) => return Some("SI_TIMER"),
        (_, libc::SI_TKILL) => return Some("SI_TKILL"),
        (libc::SIGSEGV, _) => &["SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"],
        (libc::SIGBUS, _) => &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"],
        (libc::SIGILL, _) => &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
        ],
        (libc::SIGFPE, _) => &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
        (libc::SIGTRAP, _) => &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"],
        (libc::SIGSYS, _) => &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
        _ => &[],
    };
    names.get(usize::try_from(code).ok()?.checked_sub(1)?).copied()
}

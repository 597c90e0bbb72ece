//! The codes of Linux's signals (`si_code`).

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

/// Whether the kernel reports the address with a fault of this code.
pub(crate) fn has_address(code: i32) -> bool {
    code != libc::SI_KERNEL
}

/// Whether it is the signal of a filter that has refused a system call.
pub(crate) fn is_refused_call(signal: i32) -> bool {
    signal == libc::SIGSYS
}

//! A system without `fork`: no process is a copy of another.

use std::convert::Infallible;

/// Whether this system has forks.
pub(crate) const IS_SUPPORTED: bool = false;

/// This process is no fork.
#[inline]
pub(crate) fn is_forked() -> bool {
    false
}

/// How many forks lie between this process and the one that its executable was started in.
#[inline]
pub(crate) fn generation() -> u32 {
    0
}

pub(crate) fn close_registered_in_forks() {}

pub(crate) fn lock_registry_in_forks() {}

pub(crate) fn claim_channel() {}

pub(crate) fn is_copy() -> bool {
    false
}

pub(crate) fn end_if_copy() {}

/// The proof that this process has one thread, for a fork: there is none.
pub(crate) struct SingleThreaded(Infallible);

impl SingleThreaded {
    pub(crate) fn check() -> Result<Self, usize> {
        Err(1)
    }

    pub(crate) fn never(&self) -> ! {
        match self.0 {}
    }
}

/// `ExitProcess`: it does not run `atexit` handlers.
pub(crate) fn exit_at_once(code: i32) -> ! {
    std::process::exit(code)
}

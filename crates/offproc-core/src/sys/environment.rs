//! The environment, and whether it may be trusted.
#![allow(unsafe_code)]

use std::ffi::OsString;

/// Takes a variable out of the environment, so that no grandchild trips over it.
///
/// Only for a process that has not started a thread of its own yet.
pub(crate) fn take(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: called at the start of a worker, before `main` or at its beginning, when no other thread exists that
    // could read the environment (a constructor of another crate that started one would have raced with every
    // constructor after it).
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Sets a variable, or removes it, under the same condition as [`take`].
pub(crate) fn set(name: &OsString, value: Option<&OsString>) {
    match value {
        // SAFETY: see `take`.
        Some(value) => unsafe { std::env::set_var(name, value) },
        // SAFETY: see `take`.
        None => unsafe { std::env::remove_var(name) },
    }
}

/// True for a set-user-id, set-group-id or file-capabilities start: what the environment says must not be believed.
pub(crate) fn is_privileged_start() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: `getauxval` only reads the process's auxiliary vector.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: `issetugid` has no preconditions.
    let secure = unsafe { libc::issetugid() } != 0;
    secure
}

//! The environment, and whether to trust it.
#![allow(unsafe_code)]

use super::kernel;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsString, c_char};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// Removes a variable from the environment, so that no grandchild inherits it.
///
/// Only for a process that has not started a thread of its own yet.
pub(crate) fn remove(name: &str) {
    change([&(name.into(), None)]);
}

/// Variables by their names. Of two with the same, the last counts.
fn by_name<'a>(
    variables: impl Iterator<Item = (&'a OsString, Option<&'a OsString>)>,
) -> BTreeMap<&'a [u8], Option<&'a [u8]>> {
    let mut by_name = BTreeMap::new();
    // One by one: to collect them would have a sort compiled.
    for (name, value) in variables {
        by_name.insert(name.as_bytes(), value.map(|value| value.as_bytes()));
    }
    by_name
}

/// The variables that were removed, added or changed.
pub(crate) fn changed(
    before: &[(OsString, OsString)],
    now: &[(OsString, OsString)],
) -> Vec<(OsString, Option<OsString>)> {
    let [before, now] = [before, now].map(|them| by_name(them.iter().map(|(name, value)| (name, Some(value)))));
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let mut changed = Vec::new();
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        changed.push((owned(name), None));
    }
    for (name, value) in now.iter().filter(|(name, value)| before.get(*name) != Some(*value)) {
        changed.push((owned(name), value.map(owned)));
    }
    changed
}

/// `environ`: sets variables, or removes them, the last change of each being the one that counts; under the same
/// condition as [`remove`].
///
/// Takes neither std's lock nor the C library's: in a fork of the program, a thread that is not here may have held one.
/// So this replaces the environment as a whole, as POSIX lets a program do.
pub(crate) fn change<'a>(changes: impl IntoIterator<Item = &'a (OsString, Option<OsString>)>) {
    let changes = by_name(changes.into_iter().map(|(name, value)| (name, value.as_ref())));
    if changes.is_empty() {
        return;
    }
    let mut variables: Vec<*mut c_char> = Vec::new();
    // SAFETY: the pointer is null or leads to pointers to C strings, the last of them null. Called at the start of a
    // worker, when no other thread exists that could change them (a constructor of another crate that started one would
    // have raced with every constructor after it).
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            let variable = CStr::from_ptr(*next).to_bytes();
            // A name may begin with `=`, for std.
            let name = variable.iter().skip(1).position(|byte| *byte == b'=').map(|at| &variable[..=at]);
            if !name.is_some_and(|name| changes.contains_key(name)) {
                variables.push(*next);
            }
            next = next.add(1);
        }
    }
    for (name, value) in changes {
        // None has a NUL byte: `Settings::check` refuses it.
        if let Some(Ok(variable)) = value.map(|value| CString::new([name, b"=", value].concat())) {
            variables.push(variable.into_raw());
        }
    }
    variables.push(std::ptr::null_mut());
    // SAFETY: as above; the array and the strings stay for good, as pointers to them may.
    unsafe { environ = variables.leak().as_mut_ptr() };
}

/// Whether a backtrace is asked for, by the same variables as std's, and if so, whether a full one.
///
/// Without std's lock on the environment, which a thread that is not in this fork may have held.
pub(crate) fn wants_backtrace() -> Option<bool> {
    let value = |name: &CStr| {
        // SAFETY: `name` is a C string; a value that is there is one too, and is looked at before anything of ours
        // changes the environment. This is called where a worker sets itself up, before its first job.
        unsafe {
            let value = libc::getenv(name.as_ptr());
            (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes().to_owned())
        }
    };
    wanted_by(value(c"RUST_BACKTRACE"), value(c"RUST_LIB_BACKTRACE"))
}

/// The same in the program, whose threads may change the environment meanwhile, under std's lock.
pub(crate) fn asks_for_backtrace() -> Option<bool> {
    let value = |name: &str| std::env::var_os(name).map(OsString::into_vec);
    wanted_by(value("RUST_BACKTRACE"), value("RUST_LIB_BACKTRACE"))
}

fn wanted_by(all: Option<Vec<u8>>, own: Option<Vec<u8>>) -> Option<bool> {
    let is_full = [&all, &own].into_iter().any(|value| value.as_deref() == Some(b"full"));
    own.or(all).filter(|value| value != b"0").map(|_| is_full)
}

/// True for a set-user-id, set-group-id or file-capabilities start: then do not trust the environment.
pub(crate) fn is_privileged_start() -> bool {
    kernel::is_privileged_start()
}

//! The environment.

use super::win32::this;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Removes a variable from the environment, so that no grandchild inherits it.
pub(crate) fn remove(name: &str) {
    this::set_variable(OsStr::new(name), None);
}

/// Variables by their names. Of two with the same, the last counts; names differ by more than upper and lower case.
pub(crate) fn by_name<'a>(
    variables: impl Iterator<Item = (&'a OsString, Option<&'a OsString>)>,
) -> BTreeMap<OsString, Option<&'a OsString>> {
    variables.map(|(name, value)| (name.to_ascii_uppercase(), value)).collect()
}

/// `SetEnvironmentVariableW`: sets variables, or removes them.
pub(crate) fn change<'a>(changes: impl IntoIterator<Item = &'a (OsString, Option<OsString>)>) {
    for (name, value) in changes {
        this::set_variable(name, value.as_deref());
    }
}

/// Whether a backtrace is asked for, by the same variables as std's, and if so, whether a full one.
pub(crate) fn wants_backtrace() -> Option<bool> {
    let [all, own] = ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"].map(std::env::var_os);
    let is_full = [&all, &own].into_iter().any(|value| value.as_deref() == Some(OsStr::new("full")));
    own.or(all).filter(|value| value != "0").map(|_| is_full)
}

/// The same in the program.
pub(crate) fn asks_for_backtrace() -> Option<bool> {
    wants_backtrace()
}

/// There is no such start.
pub(crate) fn is_privileged_start() -> bool {
    false
}

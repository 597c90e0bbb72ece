//! Names of functions, from the symbol table of the running executable: read when a report or a span needs one, and not
//! before.

use super::{executable, symbol_table};
use crate::sorted_map::SortedMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Names = SortedMap<u64, Option<&'static str>>;

fn names() -> MutexGuard<'static, Names> {
    static NAMES: Mutex<Names> = Mutex::new(Names::new());
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of the function at an offset from the load address, where the executable has a symbol for it.
///
/// Read once for each function, and kept.
pub(crate) fn name_at(offset: u64) -> Option<&'static str> {
    let known = names().get(offset).copied();
    // Not under the lock: others need not wait for the file.
    known.unwrap_or_else(|| {
        let name = find(offset);
        let mut names = names();
        // Another thread may have found it meanwhile: then there is nothing to keep.
        names.get(offset).copied().unwrap_or_else(|| {
            let name = name.map(|name| &*name.leak());
            names.insert(offset, name);
            name
        })
    })
}

fn find(offset: u64) -> Option<String> {
    let mut names = Vec::new();
    for name in symbol_table::names_at(executable::open().ok()?, offset) {
        let name = format!("{:#}", rustc_demangle::demangle(&name));
        // The name of a closure that became a function pointer; it does not contain the closure's path.
        let name = if name == "core::ops::function::FnOnce::call_once" { "{{closure}}".to_owned() } else { name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // The compiler may have merged functions with the same body.
    (!names.is_empty()).then(|| names.join(" or "))
}

#[cfg(test)]
mod tests;

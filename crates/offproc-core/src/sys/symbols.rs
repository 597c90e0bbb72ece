//! Names of functions, from the symbol table of the running executable: read when a report is printed, and not before.

use object::{Object, ObjectSymbol, ReadCache};
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, PoisonError};

/// The path of the function at an offset from the load address, where the executable has a symbol for it.
///
/// Read once for each function, and kept.
pub(crate) fn name_at(offset: u64) -> Option<&'static str> {
    static NAMES: Mutex<Option<HashMap<u64, Option<&'static str>>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    *names.entry(offset).or_insert_with(|| find(offset).map(|name| &*name.leak()))
}

fn find(offset: u64) -> Option<String> {
    // Only the parts that are looked at are read.
    let cache = ReadCache::new(File::open("/proc/self/exe").ok()?);
    let file = object::File::parse(&cache).ok()?;
    let mut names = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.is_definition() && symbol.address() == offset) {
        if let Ok(name) = symbol.name() {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            // What a closure becomes when it is made a function pointer; its own path is not in that name.
            let name = if name == "core::ops::function::FnOnce::call_once" { "{{closure}}".to_owned() } else { name };
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    // The compiler may have made one of functions with the same body.
    (!names.is_empty()).then(|| names.join(" or "))
}

#[cfg(test)]
mod tests;

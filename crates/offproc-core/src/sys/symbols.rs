//! Names of functions, from the symbol table of the running executable: read when a report or a span needs one, and not
//! before.

use super::executable;
use object::read::elf::{ElfFile, FileHeader, Sym};
use object::{File, Object, ObjectSymbol, ReadCache, ReadRef, SymbolIndex};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Names = BTreeMap<u64, Option<&'static str>>;

fn names() -> MutexGuard<'static, Names> {
    static NAMES: Mutex<Names> = Mutex::new(Names::new());
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of the function at an offset from the load address, where the executable has a symbol for it.
///
/// Read once for each function, and kept.
pub(crate) fn name_at(offset: u64) -> Option<&'static str> {
    let known = names().get(&offset).copied();
    // Not under the lock: others need not wait for the file.
    known.unwrap_or_else(|| {
        let name = find(offset);
        // Another thread may have found it meanwhile: then there is nothing to keep.
        *names().entry(offset).or_insert_with(|| name.map(|name| &*name.leak()))
    })
}

/// The symbols with this address. The table has tens of thousands of others, which a generic iterator would decode.
fn symbols_at<'data, E: FileHeader, R: ReadRef<'data>>(file: &ElfFile<'data, E, R>, address: u64) -> Vec<SymbolIndex> {
    let (table, endian) = (file.elf_symbol_table(), file.endian());
    let is_there =
        |(index, symbol): (SymbolIndex, &E::Sym)| (symbol.st_value(endian).into() == address).then_some(index);
    table.enumerate().filter_map(is_there).collect()
}

fn find(offset: u64) -> Option<String> {
    // Reads only the parts that are used.
    let cache = ReadCache::new(executable::open().ok()?);
    let file = File::parse(&cache).ok()?;
    let symbols = match &file {
        File::Elf32(file) => symbols_at(file, offset),
        File::Elf64(file) => symbols_at(file, offset),
        _ => return None,
    };
    let symbols = symbols.into_iter().filter_map(|index| file.symbol_by_index(index).ok());
    let mut names = Vec::new();
    for symbol in symbols.filter(|symbol| symbol.is_definition()) {
        if let Ok(name) = symbol.name() {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            // The name of a closure that became a function pointer; it does not contain the closure's path.
            let name = if name == "core::ops::function::FnOnce::call_once" { "{{closure}}".to_owned() } else { name };
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    // The compiler may have merged functions with the same body.
    (!names.is_empty()).then(|| names.join(" or "))
}

#[cfg(test)]
mod tests;

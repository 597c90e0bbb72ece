//! Names of functions, from the symbol table of the running executable: read when a report or a span needs one, and not
//! before.

use super::executable;
use crate::sorted_map::SortedMap;
use object::read::elf::{ElfFile, FileHeader, Sym};
use object::{NativeEndian, Object, ObjectSymbol, ReadCache, ReadRef, SymbolIndex};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an executable that runs here begins with.
#[cfg(target_pointer_width = "64")]
type Header = object::elf::FileHeader64<NativeEndian>;
#[cfg(target_pointer_width = "32")]
type Header = object::elf::FileHeader32<NativeEndian>;

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
    let file = ElfFile::<Header, _>::parse(&cache).ok()?;
    let symbols = symbols_at(&file, offset);
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

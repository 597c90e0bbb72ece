//! The symbol table of an ELF executable.

use object::read::elf::{ElfFile, FileHeader, Sym};
use object::{NativeEndian, Object, ObjectSymbol, ReadCache, ReadRef, SymbolIndex};
use std::fs::File;

/// What an executable that runs here begins with.
#[cfg(target_pointer_width = "64")]
type Header = object::elf::FileHeader64<NativeEndian>;
#[cfg(target_pointer_width = "32")]
type Header = object::elf::FileHeader32<NativeEndian>;

/// The symbols with this address. The table has tens of thousands of others, which a generic iterator would decode.
fn symbols_at<'data, E: FileHeader, R: ReadRef<'data>>(file: &ElfFile<'data, E, R>, address: u64) -> Vec<SymbolIndex> {
    let (table, endian) = (file.elf_symbol_table(), file.endian());
    let is_there =
        |(index, symbol): (SymbolIndex, &E::Sym)| (symbol.st_value(endian).into() == address).then_some(index);
    table.enumerate().filter_map(is_there).collect()
}

/// The names of what begins at an offset from the load address, as the compiler has mangled them.
pub(super) fn names_at(executable: File, offset: u64) -> Vec<String> {
    // Reads only the parts that are used.
    let cache = ReadCache::new(executable);
    let Ok(file) = ElfFile::<Header, _>::parse(&cache) else { return Vec::new() };
    let symbols = symbols_at(&file, offset);
    let symbols = symbols.into_iter().filter_map(|index| file.symbol_by_index(index).ok());
    let symbols = symbols.filter(|symbol| symbol.is_definition());
    symbols.filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect()
}

//! The symbol table of a PE executable: linkers for MinGW write one. That of Microsoft's writes a file of its own in
//! another format, so there no names are found here.

use object::read::pe::PeFile;
use object::{Object, ObjectSymbol, ReadCache};
use std::fs::File;

#[cfg(target_pointer_width = "64")]
type Header = object::pe::ImageNtHeaders64;
#[cfg(target_pointer_width = "32")]
type Header = object::pe::ImageNtHeaders32;

/// The names of what begins at an offset from the load address, as the compiler has mangled them.
pub(super) fn names_at(executable: File, offset: u64) -> Vec<String> {
    let cache = ReadCache::new(executable);
    let Ok(file) = PeFile::<Header, _>::parse(&cache) else { return Vec::new() };
    let address = file.relative_address_base().wrapping_add(offset);
    let symbols = file.symbols().filter(|symbol| symbol.address() == address && symbol.is_definition());
    symbols.filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect()
}

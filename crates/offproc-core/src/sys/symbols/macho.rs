//! The symbol table of a Mach-O executable.

use object::read::macho::MachOFile;
use object::{LittleEndian, Object, ObjectSegment, ObjectSymbol, ReadCache};
use std::fs::File;

/// The names of what begins at an offset from the load address, as the compiler has mangled them.
pub(super) fn names_at(executable: File, offset: u64) -> Vec<String> {
    // Reads only the parts that are used.
    let cache = ReadCache::new(executable);
    let Ok(file) = MachOFile::<object::macho::MachHeader64<LittleEndian>, _>::parse(&cache) else { return Vec::new() };
    // The header is at the beginning of the first segment that is mapped.
    let base = file.segments().find(|segment| segment.file_range().1 > 0).map_or(0, |segment| segment.address());
    let address = base.wrapping_add(offset);
    let symbols = file.symbols().filter(|symbol| symbol.address() == address && symbol.is_definition());
    // The C compiler's names begin with one more underscore.
    let name = |name: &str| name.strip_prefix('_').unwrap_or(name).to_owned();
    symbols.filter_map(|symbol| symbol.name().ok().map(name)).collect()
}

//! The executable that this process runs: the place of its code, its constructors, and the identity of its build.

pub(crate) use super::offsets::Image;

use super::fingerprint::Fingerprint;
use super::loaded::{self, Header, Object, PF_R, PF_X, address};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// True if offproc is part of the executable, and not of a shared library that another program has loaded.
pub(crate) fn is_in_executable() -> bool {
    Image::current().has_code_at(is_in_executable as fn() -> bool as usize)
}

impl Image {
    /// The image of the running executable. Read once; a program's image does not change.
    #[inline]
    pub(crate) fn current() -> &'static Self {
        static CURRENT: OnceLock<Image> = OnceLock::new();
        CURRENT.get_or_init(Self::read)
    }

    /// The executable's dynamic loader; `None` for a static one.
    pub(crate) fn loader(&self) -> Option<&Path> {
        self.loader.as_deref()
    }

    /// The addresses of the executable's constructors (`.init_array`), none where there is no dynamic section.
    #[cfg(all(feature = "auto-init", not(miri)))]
    pub(crate) fn constructors(&self) -> impl Iterator<Item = usize> + use<> {
        self.constructors.clone().into_iter()
    }

    fn read() -> Self {
        // A library that was loaded into a namespace of its own sees only that.
        loaded::find(|object| Some(is_executable(object).then(|| Self::of(object)))).flatten().unwrap_or_default()
    }

    fn of(executable: &Object<'_>) -> Self {
        let segment = |kind| executable.headers().iter().find(|header| header.p_type == kind);
        let loader = segment(libc::PT_INTERP).and_then(|header| executable.copy(executable.range(header)));
        let print = fingerprint(executable.headers(), |header, offset, length| {
            let start = executable.range(header).start + offset;
            executable.copy(start..start + length).ok_or(io::ErrorKind::InvalidData.into())
        });
        Self {
            base: executable.base(),
            code: executable.code().collect(),
            constructors: match segment(libc::PT_DYNAMIC) {
                Some(header) if cfg!(all(feature = "auto-init", not(miri))) => constructors(executable, header),
                _ => Vec::new(),
            },
            loader: loader.map(|name| OsStr::from_bytes(name.split(|byte| *byte == 0).next().unwrap_or(&name)).into()),
            build: print.unwrap_or_default(),
        }
    }
}

/// The name of the GNU C library's executable is empty; that of musl is its path, but musl has one namespace only.
fn is_executable(first: &Object<'_>) -> bool {
    !cfg!(target_env = "gnu") || first.name().is_empty()
}

/// The executable and its shared libraries: the path of each (empty for the executable), its load address and its code.
pub(crate) fn modules() -> Vec<(String, usize, Vec<Range<usize>>)> {
    let mut modules = Vec::new();
    loaded::find(|object| {
        // The executable is the first one.
        let name = if modules.is_empty() { "".into() } else { String::from_utf8_lossy(object.name()) };
        modules.push((name.into_owned(), object.base(), object.code().collect()));
        None::<()>
    });
    modules
}

/// The path of the loaded object that has this address: the name of a shared library, an empty one for the main
/// program.
pub(crate) fn object_at(address: usize) -> Option<PathBuf> {
    objects().into_iter().find(|object| object.ranges.iter().any(|range| range.contains(&address))).map(|it| it.path)
}

/// What the loader has loaded.
pub(crate) struct LoadedObject {
    pub(crate) path: PathBuf,
    pub(crate) ranges: Vec<Range<usize>>,
}

/// `dl_iterate_phdr`: all of them, the main program first.
pub(crate) fn objects() -> Vec<LoadedObject> {
    let mut objects = Vec::new();
    loaded::find(|object| {
        let ranges = object.loaded().map(|header| object.range(header)).collect();
        objects.push(LoadedObject { path: OsStr::from_bytes(object.name()).into(), ranges });
        None::<()>
    });
    objects
}

/// The build of a file, computed as [`Image::build`] computes it for the loaded program.
pub(crate) fn build_of(file: &File) -> io::Result<u128> {
    let bytes = |offset: usize, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset as u64).map(|()| bytes)
    };
    // The offsets in an ELF header of the place and the number of the program headers.
    let (place, count) = if cfg!(target_pointer_width = "64") { (32, 56) } else { (28, 44) };
    let place = usize::from_ne_bytes(*bytes(place, size_of::<usize>())?.first_chunk().expect("of that length"));
    let count = u16::from_ne_bytes(*bytes(count, 2)?.first_chunk().expect("of that length"));
    let headers = loaded::headers_in(&bytes(place, usize::from(count) * size_of::<Header>())?);
    fingerprint(&headers, |header, offset, length| bytes(address(header.p_offset) + offset, length))
}

/// Identifies a build by the program headers, the build id note and samples of the code. `read` returns parts of
/// segments.
///
/// Uses nothing of offproc's own, as two versions of it in one program have to agree on this; see
/// [`MARKER`](crate::wire::marker::MARKER).
fn fingerprint(
    headers: &[Header],
    mut read: impl FnMut(&Header, usize, usize) -> io::Result<Vec<u8>>,
) -> io::Result<u128> {
    let mut print = Fingerprint::new();
    for header in headers {
        print.add(&header.p_type.to_ne_bytes());
        print.add(&header.p_vaddr.to_ne_bytes());
        print.add(&header.p_filesz.to_ne_bytes());
        print.add(&header.p_memsz.to_ne_bytes());
        let size = address(header.p_memsz);
        match header.p_type {
            libc::PT_LOAD if header.p_flags & (PF_X | PF_R) == PF_X | PF_R => {
                for sample in Fingerprint::samples(size) {
                    print.add(&read(header, sample.start, sample.len())?);
                }
            }
            libc::PT_NOTE if header.p_filesz < 4096 => print.add(&read(header, 0, address(header.p_filesz))?),
            _ => {}
        }
    }
    Ok(print.value())
}

/// The array of constructors, as the dynamic section names it. The loader has relocated it before any of them runs, and
/// nothing writes to it after that.
fn constructors(executable: &Object<'_>, dynamic: &Header) -> Vec<usize> {
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    const WORD: usize = size_of::<usize>();
    let words = |range| {
        let bytes = executable.copy(range).unwrap_or_default();
        let words = bytes.chunks_exact(WORD).map(|word| usize::from_ne_bytes(word.try_into().expect("a word")));
        words.collect::<Vec<_>>()
    };
    let entries = words(executable.range(dynamic));
    let entries = entries.chunks_exact(2).take_while(|entry| entry[0] != DT_NULL);
    let value = |tag| entries.clone().find(|entry| entry[0] == tag).map(|entry| entry[1]);
    let Some((start, size)) = value(DT_INIT_ARRAY).zip(value(DT_INIT_ARRAYSZ)) else { return Vec::new() };
    let start = executable.base().wrapping_add(start);
    words(start..start.wrapping_add(size))
}

#[cfg(test)]
#[path = "elf/tests.rs"]
mod tests;

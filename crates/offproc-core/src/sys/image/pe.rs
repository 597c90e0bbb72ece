//! The executable that this process runs, as its headers in memory describe it.

pub(crate) use super::offsets::Image;

use super::fingerprint::Fingerprint;
use super::win32::image as system;
use std::ops::Range;
use std::os::windows::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// True if offproc is part of the executable, and not of a DLL that another program has loaded.
pub(crate) fn is_in_executable() -> bool {
    Image::current().has_code_at(is_in_executable as fn() -> bool as usize)
}

impl Image {
    /// The image of the running executable. Read once; a program's image does not change.
    pub(crate) fn current() -> &'static Self {
        static CURRENT: OnceLock<Image> = OnceLock::new();
        CURRENT.get_or_init(|| {
            let base = system::base();
            Self::of(base).unwrap_or(Self { base, ..Self::default() })
        })
    }

    fn of(base: usize) -> Option<Self> {
        // The system has mapped at least a page of headers.
        let first = [0..HEADERS];
        let start = system::copy(&first, 0..HEADERS)?;
        let headers = Headers::read(&start)?;
        let all = 0..headers.size.max(HEADERS);
        let bytes = system::copy(std::slice::from_ref(&all), headers.sections.clone())?;
        let sections: Vec<_> = bytes.chunks_exact(SECTION).filter_map(Section::read).collect();
        let readable: Vec<_> = sections.iter().filter(|it| it.is_readable()).map(|it| it.range.clone()).collect();
        let mut print = Fingerprint::new();
        print.add(&headers.identity);
        print.add(&bytes);
        for section in sections.iter().filter(|section| section.is_code()) {
            for sample in Fingerprint::samples(section.range.len()) {
                let (start, end) = (section.range.start + sample.start, section.range.start + sample.end);
                print.add(&system::copy(&readable, start..end)?);
            }
        }
        let code = sections.iter().filter(|section| section.is_code());
        let code = code.map(|section| base + section.range.start..base + section.range.end).collect();
        Some(Self { base, code, build: print.value(), ..Self::default() })
    }
}

/// So much of the headers is always there.
const HEADERS: usize = 4096;
/// The length of a section's header.
const SECTION: usize = 40;

/// What the headers say of the whole image.
struct Headers {
    /// When it was made, its checksum and its size: what the linker sets of them.
    identity: Vec<u8>,
    /// Where the sections' headers are.
    sections: Range<usize>,
    /// How long the headers are.
    size: usize,
}

impl Headers {
    fn read(start: &[u8]) -> Option<Self> {
        // `IMAGE_DOS_HEADER::e_lfanew`.
        let header = number(start, 0x3c)?;
        if start.get(..2)? != b"MZ" || start.get(header..header + 4)? != b"PE\0\0" {
            return None;
        }
        // `IMAGE_FILE_HEADER`, and the optional header behind it, as far as it is the same for 32 and 64 bits.
        let file = header + 4;
        let count = usize::from(u16::from_le_bytes(start.get(file + 2..file + 4)?.try_into().ok()?));
        let optional = file + 20;
        let optional_size = usize::from(u16::from_le_bytes(start.get(file + 16..file + 18)?.try_into().ok()?));
        let made = start.get(file + 4..file + 8)?;
        let (image_size, size) = (start.get(optional + 56..optional + 60)?, number(start, optional + 60)?);
        let checksum = start.get(optional + 64..optional + 68)?;
        let sections = optional + optional_size;
        Some(Self {
            identity: [made, image_size, checksum].concat(),
            sections: sections..sections + count * SECTION,
            size,
        })
    }
}

/// `IMAGE_SECTION_HEADER`.
struct Section {
    /// Counted from the base.
    range: Range<usize>,
    flags: u32,
}

impl Section {
    const IS_EXECUTABLE: u32 = 0x2000_0000;
    const IS_READABLE: u32 = 0x4000_0000;
    const IS_DISCARDABLE: u32 = 0x0200_0000;

    fn read(header: &[u8]) -> Option<Self> {
        let (size, start) = (number(header, 8)?, number(header, 12)?);
        let flags = u32::from_le_bytes(header.get(36..40)?.try_into().ok()?);
        Some(Self { range: start..start.checked_add(size)?, flags })
    }

    fn is_readable(&self) -> bool {
        self.flags & Self::IS_READABLE != 0 && self.flags & Self::IS_DISCARDABLE == 0
    }

    fn is_code(&self) -> bool {
        self.is_readable() && self.flags & Self::IS_EXECUTABLE != 0
    }
}

/// A number of 32 bits.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?)).ok()
}

/// The executable, by an empty path, its load address and its code. The system finds the names of what is in DLLs.
pub(crate) fn modules() -> Vec<(String, usize, Vec<Range<usize>>)> {
    let image = Image::current();
    vec![(String::new(), image.base, image.code.clone())]
}

/// The path of the executable or DLL that this address is in.
pub(crate) fn object_at(address: usize) -> Option<PathBuf> {
    system::module_at(address).map(|path| std::ffi::OsString::from_wide(&path).into())
}

//! The executable that this process runs, as its Mach-O header in memory describes it: the place of its code, its
//! constructors, and the identity of its build.
#![allow(unsafe_code)]

pub(crate) use super::offsets::Image;

use super::fingerprint::Fingerprint;
use object::LittleEndian as LE;
use object::macho::{
    LC_SEGMENT_64, LC_UUID, LoadCommand, MachHeader64, S_INIT_FUNC_OFFSETS, S_MOD_INIT_FUNC_POINTERS, SECTION_TYPE,
    Section64, SegmentCommand64, UuidCommand, VM_PROT_EXECUTE,
};
use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// True if offproc is part of the executable, and not of a library that another program has loaded.
pub(crate) fn is_in_executable() -> bool {
    Image::current().has_code_at(is_in_executable as fn() -> bool as usize)
}

impl Image {
    /// The image of the running executable. Read once; a program's image does not change.
    pub(crate) fn current() -> &'static Self {
        static CURRENT: OnceLock<Image> = OnceLock::new();
        CURRENT.get_or_init(Self::read)
    }

    /// The addresses of the executable's constructors, in the order in which dyld calls them.
    pub(crate) fn constructors(&self) -> impl Iterator<Item = usize> + use<> {
        self.constructors.clone().into_iter()
    }

    fn read() -> Self {
        // The executable is the first of the images.
        let Some(image) = loaded(0) else { return Self::default() };
        let mut print = Fingerprint::new();
        print.add(&image.id);
        for range in &image.code {
            print.add(&(range.start.wrapping_sub(image.base)).to_ne_bytes());
            print.add(&range.len().to_ne_bytes());
            for sample in Fingerprint::samples(range.len()) {
                // SAFETY: in a segment of code, which dyld has mapped, and which stays.
                let read = |at: usize| unsafe { ((range.start + at) as *const u8).read_volatile() };
                print.add(&sample.map(read).collect::<Vec<_>>());
            }
        }
        let (base, code, constructors) = (image.base, image.code, image.constructors);
        Self { base, code, constructors, loader: None, build: print.value() }
    }
}

/// What the load commands of an image say.
struct Loaded {
    name: PathBuf,
    base: usize,
    /// `LC_UUID`.
    id: [u8; 16],
    code: Vec<Range<usize>>,
    ranges: Vec<Range<usize>>,
    constructors: Vec<usize>,
}

/// `_dyld_get_image_header`, `_dyld_get_image_vmaddr_slide` and `_dyld_get_image_name`: one of the loaded images.
#[allow(deprecated, reason = "libc refers to another crate for what is Mach's")]
fn loaded(number: u32) -> Option<Loaded> {
    // SAFETY: the calls take a number, and return null where there is no such image.
    let (base, slide, name) = unsafe {
        (
            libc::_dyld_get_image_header(number) as usize,
            libc::_dyld_get_image_vmaddr_slide(number) as usize,
            libc::_dyld_get_image_name(number),
        )
    };
    if base == 0 {
        return None;
    }
    let name = if name.is_null() {
        PathBuf::new()
    } else {
        // SAFETY: it is the image's path, a string that stays as long as the image.
        OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()).into()
    };
    let mut image = Loaded { name, base, id: [0; 16], code: Vec::new(), ranges: Vec::new(), constructors: Vec::new() };
    // SAFETY: dyld has mapped the image's header, and the load commands right behind it, of which the header says how
    // many there are, and each how long it is. They are aligned to 8 bytes, and stay as long as the image.
    unsafe {
        let count = (*(base as *const MachHeader64<LE>)).ncmds.get(LE);
        let mut at = base + size_of::<MachHeader64<LE>>();
        for _ in 0..count {
            let command = &*(at as *const LoadCommand<LE>);
            match command.cmd.get(LE) {
                LC_UUID => image.id = (*(at as *const UuidCommand<LE>)).uuid,
                LC_SEGMENT_64 => image.add_segment(at, slide),
                _ => {}
            }
            at += command.cmdsize.get(LE) as usize;
        }
    }
    Some(image)
}

#[allow(clippy::cast_possible_truncation, reason = "addresses of a system of 64 bits")]
impl Loaded {
    /// # Safety
    ///
    /// There is an `LC_SEGMENT_64` of a loaded image at this address, with its sections behind it.
    unsafe fn add_segment(&mut self, at: usize, slide: usize) {
        // SAFETY: the caller's promise.
        let segment = unsafe { &*(at as *const SegmentCommand64<LE>) };
        let start = (segment.vmaddr.get(LE) as usize).wrapping_add(slide);
        let range = start..start.wrapping_add(segment.vmsize.get(LE) as usize);
        if segment.initprot.get(LE) & VM_PROT_EXECUTE != 0 {
            self.code.push(range.clone());
        }
        self.ranges.push(range);
        let first = (at + size_of::<SegmentCommand64<LE>>()) as *const Section64<LE>;
        for number in 0..segment.nsects.get(LE) as usize {
            // SAFETY: the segment says that it has so many sections.
            let section = unsafe { &*first.add(number) };
            let start = (section.addr.get(LE) as usize).wrapping_add(slide);
            let words = start..start.wrapping_add(section.size.get(LE) as usize);
            match section.flags.get(LE) & SECTION_TYPE {
                // Pointers, as linkers wrote them until about 2021.
                S_MOD_INIT_FUNC_POINTERS => {
                    // SAFETY: the section is an array of pointers, which dyld has relocated.
                    let read = |at: usize| unsafe { (at as *const usize).read_volatile() };
                    self.constructors.extend(words.step_by(size_of::<usize>()).map(read));
                }
                // Distances from the header.
                S_INIT_FUNC_OFFSETS => {
                    // SAFETY: the section is an array of numbers of 32 bits.
                    let read = |at: usize| unsafe { (at as *const u32).read_volatile() } as usize;
                    self.constructors.extend(words.step_by(size_of::<u32>()).map(|at| self.base + read(at)));
                }
                _ => {}
            }
        }
    }
}

fn all() -> impl Iterator<Item = Loaded> {
    #[allow(deprecated, reason = "libc refers to another crate for what is Mach's")]
    // SAFETY: it has no preconditions.
    let count = unsafe { libc::_dyld_image_count() };
    (0..count).filter_map(loaded)
}

/// The executable and its libraries: the path of each (empty for the executable), its load address and its code.
pub(crate) fn modules() -> Vec<(String, usize, Vec<Range<usize>>)> {
    let modules = all().enumerate().map(|(number, image)| {
        let name = if number == 0 { String::new() } else { image.name.to_string_lossy().into_owned() };
        (name, image.base, image.code)
    });
    modules.collect()
}

/// The path of the loaded image that has this address.
pub(crate) fn object_at(address: usize) -> Option<PathBuf> {
    all().find(|image| image.ranges.iter().any(|range| range.contains(&address))).map(|image| image.name)
}

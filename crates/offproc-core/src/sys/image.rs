//! The executable this process runs: where its code lies, which constructors it has, and what identifies its build.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::OnceLock;

/// What the dynamic loader (or the kernel, for a static executable) says of the main program.
#[derive(Debug)]
pub(crate) struct Image {
    base: usize,
    code: Vec<Range<usize>>,
    init_array: Range<usize>,
    build: u128,
}

impl Image {
    /// The image of the running executable. Read once; a program's image does not change.
    pub(crate) fn current() -> &'static Self {
        static CURRENT: OnceLock<Image> = OnceLock::new();
        CURRENT.get_or_init(Self::read)
    }

    /// The distance of a piece of code from the load address, the same in every process of this executable. `None`
    /// when the address is not in the executable's code: it belongs to a shared library.
    pub(crate) fn offset_of(&self, address: usize) -> Option<u64> {
        self.has_code_at(address).then(|| (address - self.base) as u64)
    }

    /// The reverse of [`offset_of`](Self::offset_of), with the same check.
    pub(crate) fn address_of(&self, offset: u64) -> Option<usize> {
        let address = self.base.checked_add(usize::try_from(offset).ok()?)?;
        self.has_code_at(address).then_some(address)
    }

    pub(crate) fn has_code_at(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    /// Tells builds apart: a fingerprint of the program headers, the build id note and samples of the code.
    pub(crate) fn build(&self) -> u128 {
        self.build
    }

    /// The addresses of the executable's constructors (`.init_array`), empty where there is no dynamic section.
    #[cfg(feature = "auto-init")]
    pub(crate) fn constructors(&self) -> impl Iterator<Item = usize> + use<> {
        self.init_array.clone().step_by(size_of::<usize>()).map(|entry| {
            // SAFETY: the dynamic section of the running program names this range as its array of constructors; the
            // loader has mapped and relocated it before any constructor runs, and it is read-only from then on.
            unsafe { (entry as *const usize).read() }
        })
    }

    fn read() -> Self {
        let mut image = Self { base: 0, code: Vec::new(), init_array: 0..0, build: 0 };
        // SAFETY: `visit` matches the callback's type, and the pointer it is given is to `image`, which outlives the
        // call and is not touched elsewhere meanwhile.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut image).cast()) };
        image
    }
}

/// Takes in the first object that `dl_iterate_phdr` shows, which is the main program, and stops there.
unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, image: *mut c_void) -> c_int {
    // SAFETY: the loader hands out a valid description of a loaded object, and `image` is what `read` passed.
    let (info, image) = unsafe { (&*info, &mut *image.cast::<Image>()) };
    // SAFETY: `dlpi_phdr` and `dlpi_phnum` describe the program headers of a loaded object, which stay mapped.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast, reason = "addresses fit an address")]
    let (base, at) = (info.dlpi_addr as usize, |address: u64| info.dlpi_addr as usize + address as usize);
    image.base = base;
    let mut print = Fingerprint::new();
    for header in headers {
        print.add(&header.p_type.to_ne_bytes());
        print.add(&header.p_vaddr.to_ne_bytes());
        print.add(&header.p_filesz.to_ne_bytes());
        print.add(&header.p_memsz.to_ne_bytes());
        let range = at(header.p_vaddr as _)..at(header.p_vaddr as _) + header.p_memsz as usize;
        match header.p_type {
            libc::PT_LOAD if header.p_flags & libc::PF_X != 0 => {
                for sample in 0..SAMPLES {
                    let start = range.start + range.len() / SAMPLES * sample;
                    let length = SAMPLE.min(range.end - start);
                    if header.p_flags & libc::PF_R != 0 {
                        // SAFETY: the sample lies in a loaded, readable segment of code.
                        print.add(unsafe { std::slice::from_raw_parts(start as *const u8, length) });
                    }
                }
                image.code.push(range);
            }
            libc::PT_NOTE if header.p_filesz < 4096 => {
                // SAFETY: note segments are part of a loaded, readable segment of the main program.
                print.add(unsafe { std::slice::from_raw_parts(range.start as *const u8, header.p_filesz as usize) });
            }
            libc::PT_DYNAMIC => image.init_array = init_array(range.start, base),
            _ => {}
        }
    }
    image.build = print.0;
    1
}

const SAMPLES: usize = 16;
const SAMPLE: usize = 64;

/// Finds the array of constructors in a dynamic section.
fn init_array(dynamic: usize, base: usize) -> Range<usize> {
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    let (mut start, mut size) = (0, 0);
    let mut entry = dynamic as *const [usize; 2];
    loop {
        // SAFETY: `entry` walks the loaded dynamic section, which ends with `DT_NULL`, where the walk stops.
        let [tag, value] = unsafe { entry.read() };
        match tag {
            DT_NULL => return if start == 0 { 0..0 } else { start..start + size },
            DT_INIT_ARRAY => start = base + value,
            DT_INIT_ARRAYSZ => size = value,
            _ => {}
        }
        // SAFETY: as above; the entry just read was not the last one.
        entry = unsafe { entry.add(1) };
    }
}

/// 128-bit FNV-1a: not for secrets, only to tell one build from another.
struct Fingerprint(u128);

impl Fingerprint {
    fn new() -> Self {
        let mut print = Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        print.add(env!("CARGO_PKG_VERSION").as_bytes());
        print
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

#[cfg(test)]
mod tests;

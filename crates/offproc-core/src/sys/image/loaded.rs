//! What the dynamic loader has loaded into this process: the executable and its shared libraries, see
//! `dl_iterate_phdr(3)` and `elf(5)`.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::ops::Range;

#[cfg(target_pointer_width = "64")]
pub(super) type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
pub(super) type Header = libc::Elf32_Phdr;

/// A segment's flags: it is executed, it is read.
pub(super) const PF_X: u32 = 1;
pub(super) const PF_R: u32 = 4;

/// A loaded object.
pub(super) struct Object<'a>(&'a libc::dl_phdr_info);

/// `dl_iterate_phdr(3)`: shows one object after the other, the executable first, until `look` finds something.
pub(super) fn find<T, F: FnMut(&Object<'_>) -> Option<T>>(look: F) -> Option<T> {
    struct Search<F, T> {
        look: F,
        found: Option<T>,
    }
    unsafe extern "C" fn visit<T, F>(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int
    where
        F: FnMut(&Object<'_>) -> Option<T>,
    {
        // SAFETY: the loader hands out a valid description of a loaded object, and what `find` has passed.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search<F, T>>()) };
        search.found = (search.look)(&Object(info));
        c_int::from(search.found.is_some())
    }
    let mut search = Search { look, found: None };
    // SAFETY: `visit` is of the callback's type, and takes the pointer passed here, whose target outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit::<T, F>), (&raw mut search).cast()) };
    search.found
}

impl<'a> Object<'a> {
    /// Its path, as the loader knows it: empty for the executable with the GNU C library.
    pub(super) fn name(&self) -> &'a [u8] {
        if self.0.dlpi_name.is_null() {
            return b"";
        }
        // SAFETY: where it is not null, the loader's name of an object is a string, which stays as long as the object.
        unsafe { CStr::from_ptr(self.0.dlpi_name) }.to_bytes()
    }

    /// The address that its own addresses are counted from.
    pub(super) fn base(&self) -> usize {
        address(self.0.dlpi_addr)
    }

    pub(super) fn headers(&self) -> &'a [Header] {
        // SAFETY: these describe the program headers of a loaded object, which stay mapped.
        unsafe { std::slice::from_raw_parts(self.0.dlpi_phdr, usize::from(self.0.dlpi_phnum)) }
    }

    /// Where a segment of it is.
    pub(super) fn range(&self, header: &Header) -> Range<usize> {
        let start = self.base().wrapping_add(address(header.p_vaddr));
        start..start + address(header.p_memsz)
    }

    /// The segments that are loaded.
    pub(super) fn loaded(&self) -> impl Iterator<Item = &'a Header> + use<'a> {
        self.headers().iter().filter(|header| header.p_type == libc::PT_LOAD)
    }

    /// Where its code is.
    pub(super) fn code(&self) -> impl Iterator<Item = Range<usize>> {
        self.loaded().filter(|header| header.p_flags & PF_X != 0).map(|header| self.range(header))
    }

    /// The bytes in a range, as they are now; `None` where it is not in a loaded segment that may be read.
    pub(super) fn copy(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let is_around = |it: Range<usize>| it.start <= range.start && range.end <= it.end && range.start <= range.end;
        self.loaded().find(|header| header.p_flags & PF_R != 0 && is_around(self.range(header)))?;
        // SAFETY: in a loaded, readable segment of an object that stays, at least as long as it is shown to us.
        let read = |address: usize| unsafe { (address as *const u8).read_volatile() };
        Some(range.map(read).collect())
    }

    /// The calling thread's variables of this object, and their size in bytes.
    pub(super) fn thread_locals(&self) -> Option<(*mut c_void, usize)> {
        let header = self.headers().iter().find(|header| header.p_type == libc::PT_TLS)?;
        (!self.0.dlpi_tls_data.is_null()).then(|| (self.0.dlpi_tls_data, address(header.p_memsz)))
    }
}

/// The headers that a file of this system has one after the other.
pub(super) fn headers_in(bytes: &[u8]) -> Vec<Header> {
    // SAFETY: a program header is numbers, any of which are valid, and there are enough bytes; no alignment is asked.
    let header = |at: &[u8]| unsafe { at.as_ptr().cast::<Header>().read_unaligned() };
    bytes.chunks_exact(size_of::<Header>()).map(header).collect()
}

/// A number of a program header, which fits an address.
#[allow(clippy::cast_possible_truncation, clippy::useless_conversion, reason = "addresses fit an address")]
pub(super) fn address(number: impl Into<u64>) -> usize {
    number.into() as usize
}

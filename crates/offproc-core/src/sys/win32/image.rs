//! The executable as Windows has loaded it.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
    GetModuleHandleExW, GetModuleHandleW,
};

/// `GetModuleHandleW(NULL)`: where the executable is.
pub(in super::super) fn base() -> usize {
    // SAFETY: null means the executable.
    unsafe { GetModuleHandleW(std::ptr::null()) }.addr()
}

/// A copy of bytes of the executable, at these distances from its base; `None` where they are not in the headers or a
/// section that may be read. `readable`: the ranges of those.
pub(in super::super) fn copy(readable: &[Range<usize>], range: Range<usize>) -> Option<Vec<u8>> {
    let is_around = |it: &Range<usize>| it.start <= range.start && range.end <= it.end;
    readable.iter().find(|it| is_around(it) && range.start <= range.end)?;
    let base = base();
    // SAFETY: the caller has the ranges from the executable's own headers, which name what is mapped and readable; it
    // is never unloaded.
    let read = |offset: usize| unsafe { ((base + offset) as *const u8).read_volatile() };
    Some(range.map(read).collect())
}

/// `GetModuleHandleExW(FROM_ADDRESS)` and `GetModuleFileNameW`: the path of what has code at an address.
pub(in super::super) fn module_at(address: usize) -> Option<Vec<u16>> {
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut module: HMODULE = std::ptr::null_mut();
    // SAFETY: with this flag the name is an address, any of which may be asked for; the handle is written to.
    let known = unsafe { GetModuleHandleExW(flags, (address as *const c_void).cast(), &raw mut module) };
    if known == 0 {
        return None;
    }
    let mut path = vec![0_u16; 32 << 10];
    let room = u32::try_from(path.len()).ok()?;
    // SAFETY: the vector has that much room.
    let length = unsafe { GetModuleFileNameW(module, path.as_mut_ptr(), room) };
    path.truncate(length as usize);
    (length > 0).then_some(path)
}

//! The handles of this process.

use windows_sys::Win32::Foundation::NTSTATUS;

/// `SystemExtendedHandleInformation`.
const EXTENDED_HANDLES: u32 = 64;

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtQuerySystemInformation(class: u32, into: *mut u8, length: u32, needed: *mut u32) -> NTSTATUS;
}

/// How many there are, by the list of all handles of the system: Wine 8 does not count those of one process.
///
/// # Panics
///
/// The system does not list them.
#[must_use]
pub fn count() -> usize {
    let mut list = vec![0_usize; 1 << 18];
    loop {
        let length = u32::try_from(size_of_val(&list[..])).expect("less than 4 GiB");
        let mut needed = 0;
        // SAFETY: the vector has so many bytes, any of which may be written to.
        let status =
            unsafe { NtQuerySystemInformation(EXTENDED_HANDLES, list.as_mut_ptr().cast(), length, &raw mut needed) };
        if status >= 0 {
            break;
        }
        assert!(list.len() < 1 << 26, "the system does not list its handles: {status:#x}");
        list.resize(list.len() * 2, 0);
    }
    // A count, a reserved word, and then five words each: the second is the process.
    let own = std::process::id() as usize;
    list[2..].chunks(5).take(list[0]).filter(|handle| handle[1] == own).count()
}

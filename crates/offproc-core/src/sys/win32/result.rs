//! What calls return, and what they are passed.

use std::io;

/// The result of a call that returns 0 when it fails.
pub(super) fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The size of a structure, as the calls want it.
pub(super) fn size_of_u32<T>() -> u32 {
    const { assert!(size_of::<T>() <= u32::MAX as usize) };
    #[allow(clippy::cast_possible_truncation, reason = "checked when this is compiled")]
    return size_of::<T>() as u32;
}

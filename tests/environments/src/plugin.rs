//! offproc in a shared library, as an extension of Python or Node has it. A host loads it and makes a call.

use futures::executor::block_on;
use std::ffi::c_char;
use std::future::IntoFuture;

/// Makes a call and writes its result, or its error, to `text` as a C string of at most `size` bytes.
///
/// # Safety
///
/// `text` points to `size` bytes that may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn environments_call(text: *mut c_char, size: usize) {
    let said = match block_on(offproc::run_sync(|n: u32| n * 2, 21).into_future()) {
        Ok(doubled) => doubled.to_string(),
        Err(error) => error.to_string(),
    };
    let length = said.len().min(size.saturating_sub(1));
    // SAFETY: by the contract of this function `text` has room for `size` bytes, and `length` is less than that.
    unsafe {
        text.cast::<u8>().copy_from_nonoverlapping(said.as_ptr(), length);
        text.add(length).write(0);
    }
}

/// What programs without `auto-init` have to do. A library that does it must not have its host started again.
#[unsafe(no_mangle)]
pub extern "C" fn environments_init() {
    offproc::init();
}

//! The console's events, and the standard streams as handles.
#![allow(unsafe_code)]

use super::result::check;
use std::ffi::c_int;
use std::io;
use std::os::windows::io::{BorrowedHandle, IntoRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
    SetConsoleCtrlHandler, SetStdHandle,
};

/// `SetConsoleCtrlHandler(handler, TRUE)`: from here on Ctrl+C, and with `both` Ctrl+Break too, end this process no
/// more.
pub(in super::super) fn ignore_ctrl_c(both: bool) -> io::Result<()> {
    let handler = if both { handle_both } else { handle_ctrl_c };
    // SAFETY: a function lives as long as the program; these touch nothing.
    check(unsafe { SetConsoleCtrlHandler(Some(handler), 1) })
}

unsafe extern "C" {
    fn _open_osfhandle(handle: isize, flags: c_int) -> c_int;
    fn _get_osfhandle(fd: c_int) -> isize;
    fn _dup2(from: c_int, to: c_int) -> c_int;
    fn _close(fd: c_int) -> c_int;
}

/// `_dup2` and `SetStdHandle`: C's stderr, and the system's, which std and new processes use.
pub(in super::super) fn replace_stderr(pipe: OwnedHandle) -> io::Result<()> {
    const STDERR: c_int = 2;
    // SAFETY: the handle is the number's from here on.
    let number = unsafe { _open_osfhandle(pipe.into_raw_handle() as isize, 0) };
    // SAFETY: they take numbers; the second one is not used, where the first was not duplicated.
    let duplicated = number >= 0 && unsafe { _dup2(number, STDERR) } == 0;
    if !duplicated {
        return Err(io::Error::other("the C library has no number for it"));
    }
    // SAFETY: as above; what was duplicated stays open.
    check(unsafe {
        _close(number);
        SetStdHandle(STD_ERROR_HANDLE, _get_osfhandle(STDERR) as HANDLE)
    })
}

unsafe extern "system" fn handle_ctrl_c(event: u32) -> i32 {
    i32::from(event == CTRL_C_EVENT)
}

unsafe extern "system" fn handle_both(event: u32) -> i32 {
    i32::from(matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT))
}

/// A standard stream.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Standard {
    Input,
    Output,
    Error,
}

/// `GetStdHandle`: `None` where there is none.
pub(in super::super) fn standard(which: Standard) -> Option<BorrowedHandle<'static>> {
    let which = match which {
        Standard::Input => STD_INPUT_HANDLE,
        Standard::Output => STD_OUTPUT_HANDLE,
        Standard::Error => STD_ERROR_HANDLE,
    };
    // SAFETY: it has no preconditions.
    let handle = unsafe { GetStdHandle(which) };
    // SAFETY: a standard handle is open for as long as the program leaves it so, as std takes it to be as well.
    (!handle.is_null() && handle != INVALID_HANDLE_VALUE).then(|| unsafe { BorrowedHandle::borrow_raw(handle) })
}

//! The console's events, and the standard streams as handles.
#![allow(unsafe_code)]

use super::result::check;
use std::io;
use std::os::windows::io::BorrowedHandle;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, SetConsoleCtrlHandler,
};

/// `SetConsoleCtrlHandler(handler, TRUE)`: from here on Ctrl+C, and with `both` Ctrl+Break too, end this process no
/// more.
pub(in super::super) fn ignore_ctrl_c(both: bool) -> io::Result<()> {
    let handler = if both { handle_both } else { handle_ctrl_c };
    // SAFETY: a function lives as long as the program; these touch nothing.
    check(unsafe { SetConsoleCtrlHandler(Some(handler), 1) })
}

unsafe extern "system" fn handle_ctrl_c(event: u32) -> i32 {
    i32::from(event == CTRL_C_EVENT)
}

unsafe extern "system" fn handle_both(event: u32) -> i32 {
    i32::from(matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT))
}

/// `GetStdHandle(STD_INPUT_HANDLE)`: `None` where there is none.
pub(in super::super) fn stdin() -> Option<BorrowedHandle<'static>> {
    standard(STD_INPUT_HANDLE)
}

/// `GetStdHandle(STD_ERROR_HANDLE)`.
pub(in super::super) fn stderr() -> Option<BorrowedHandle<'static>> {
    standard(STD_ERROR_HANDLE)
}

fn standard(which: u32) -> Option<BorrowedHandle<'static>> {
    // SAFETY: it has no preconditions.
    let handle = unsafe { GetStdHandle(which) };
    // SAFETY: a standard handle is open for as long as the program leaves it so, as std takes it to be as well.
    (!handle.is_null() && handle != INVALID_HANDLE_VALUE).then(|| unsafe { BorrowedHandle::borrow_raw(handle) })
}

//! This process and its threads.
#![allow(unsafe_code)]

use super::result::check;
use std::io;
use std::ops::Range;
use std::os::windows::io::BorrowedHandle;
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    ABOVE_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, GetCurrentProcessorNumber,
    GetCurrentThreadStackLimits, HIGH_PRIORITY_CLASS, IDLE_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS, SetPriorityClass,
    SetProcessAffinityMask,
};

/// `GetCurrentProcess`: a handle that is always open.
pub(in super::super) fn process() -> BorrowedHandle<'static> {
    // SAFETY: it is a constant that stands for this process, and needs not be closed.
    unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) }
}

/// `GetCurrentProcessorNumber`: the CPU that this thread runs on.
pub(in super::super) fn cpu() -> u32 {
    // SAFETY: it has no preconditions.
    unsafe { GetCurrentProcessorNumber() }
}

/// `GetTickCount64`: milliseconds since the system has started, which advance in steps of about 15.
pub(in super::super) fn milliseconds() -> u64 {
    // SAFETY: it has no preconditions.
    unsafe { GetTickCount64() }
}

/// `GetCurrentThreadStackLimits`: the stack of the calling thread, as far as it may grow.
#[expect(clippy::unnecessary_wraps, reason = "other systems may not know")]
pub(in super::super) fn stack() -> Option<Range<usize>> {
    let (mut start, mut end) = (0, 0);
    // SAFETY: the two numbers are written to.
    unsafe { GetCurrentThreadStackLimits(&raw mut start, &raw mut end) };
    Some(start..end)
}

/// The priority of a process.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Priority {
    High,
    AboveNormal,
    Normal,
    BelowNormal,
    Idle,
}

/// `SetPriorityClass`: of this process.
pub(in super::super) fn set_priority_class(priority: Priority) -> io::Result<()> {
    let class = match priority {
        Priority::High => HIGH_PRIORITY_CLASS,
        Priority::AboveNormal => ABOVE_NORMAL_PRIORITY_CLASS,
        Priority::Normal => NORMAL_PRIORITY_CLASS,
        Priority::BelowNormal => BELOW_NORMAL_PRIORITY_CLASS,
        Priority::Idle => IDLE_PRIORITY_CLASS,
    };
    // SAFETY: it takes a handle that is always open, and a number.
    check(unsafe { SetPriorityClass(GetCurrentProcess(), class) })
}

/// `SetProcessAffinityMask`: the CPUs that this process may run on, a bit each.
pub(in super::super) fn set_affinity(cpus: usize) -> io::Result<()> {
    // SAFETY: as above.
    check(unsafe { SetProcessAffinityMask(GetCurrentProcess(), cpus) })
}

unsafe extern "C" {
    fn fflush(stream: *mut std::ffi::c_void) -> std::ffi::c_int;
}

/// `fflush(NULL)`: all streams of the C library.
pub(in super::super) fn flush_c() {
    // SAFETY: null means all streams.
    unsafe { fflush(std::ptr::null_mut()) };
}

unsafe extern "C" {
    #[link_name = "atexit"]
    fn c_atexit(hook: extern "C" fn()) -> std::ffi::c_int;
}

/// `atexit(hook)`: runs `hook` when the program returns from `main`, and not where it calls `std::process::exit`.
pub(in super::super) fn atexit(hook: extern "C" fn()) {
    // SAFETY: a function lives as long as the program, and one that is `extern "C"` does not unwind.
    unsafe { c_atexit(hook) };
}

/// Windows shows no name of a process but its executable's.
pub(in super::super) fn set_name(_: &std::ffi::CStr) {}

/// `SetEnvironmentVariableW` by std: sets a variable, or removes it.
pub(in super::super) fn set_variable(name: &std::ffi::OsStr, value: Option<&std::ffi::OsStr>) {
    // SAFETY: on Windows the environment may be changed at any time: the system has a lock of its own for it.
    unsafe {
        match value {
            Some(value) => std::env::set_var(name, value),
            None => std::env::remove_var(name),
        }
    }
}

/// `WSAPoll` takes even one socket where no more may be opened: this is never needed.
pub(in super::super) fn select_one(
    _: rustix::fd::BorrowedFd<'_>,
    _for_reading: bool,
    _: Option<&rustix::event::Timespec>,
) -> Result<bool, rustix::io::Errno> {
    Err(rustix::io::Errno::INVAL)
}

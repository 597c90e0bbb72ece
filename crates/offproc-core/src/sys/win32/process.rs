//! Other processes.
#![allow(unsafe_code)]

use super::result::{check, size_of_u32};
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{FILETIME, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Pipes::GetNamedPipeServerProcessId;
use windows_sys::Win32::System::ProcessStatus::{GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, TerminateProcess, WaitForSingleObject,
};

/// `TerminateProcess`: an error where it is ending by itself, or has ended.
pub(in super::super) fn terminate(process: BorrowedHandle<'_>, code: u32) -> io::Result<()> {
    // SAFETY: the handle is open, as it is borrowed.
    check(unsafe { TerminateProcess(process.as_raw_handle(), code) })
}

/// `WaitForSingleObject`: waits for its end, until the deadline at most. True once it has ended.
pub(in super::super) fn wait(process: BorrowedHandle<'_>, deadline: Instant) -> bool {
    // The largest number means without end.
    const LONGEST: Duration = Duration::from_millis(u32::MAX as u64 - 1);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Up: it must not look again and again in the last millisecond.
        let wait = left.min(LONGEST).as_micros().div_ceil(1000);
        #[allow(clippy::cast_possible_truncation, reason = "bounded above")]
        // SAFETY: the handle is open, as it is borrowed.
        let waited = unsafe { WaitForSingleObject(process.as_raw_handle(), wait as u32) };
        match waited {
            WAIT_OBJECT_0 => return true,
            WAIT_TIMEOUT if Instant::now() < deadline => {}
            _ => return false,
        }
    }
}

/// `GetExitCodeProcess`, of one that has ended.
pub(in super::super) fn exit_code(process: BorrowedHandle<'_>) -> io::Result<u32> {
    let mut code = 0;
    // SAFETY: the handle is open, as it is borrowed; the number is written to.
    check(unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) })?;
    Ok(code)
}

/// `GetProcessTimes`: the CPU time that it has used itself, and that the system has used for it.
pub(in super::super) fn cpu_times(process: BorrowedHandle<'_>) -> io::Result<[Duration; 2]> {
    const NEVER: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let mut times = [NEVER; 4];
    let [made, ended, system, user] = &mut times;
    // SAFETY: the handle is open, as it is borrowed; the four times are written to.
    check(unsafe { GetProcessTimes(process.as_raw_handle(), made, ended, system, user) })?;
    Ok([duration(times[3]), duration(times[2])])
}

/// In units of 100 ns.
fn duration(time: FILETIME) -> Duration {
    let units = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_micros(units / 10) + Duration::from_nanos(units % 10 * 100)
}

/// The memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Memory {
    pub(in super::super) resident: u64,
    pub(in super::super) peak_resident: u64,
}

/// `GetProcessMemoryInfo`.
pub(in super::super) fn memory(process: BorrowedHandle<'_>) -> io::Result<Memory> {
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut counters: PROCESS_MEMORY_COUNTERS = unsafe { std::mem::zeroed() };
    let size = size_of_u32::<PROCESS_MEMORY_COUNTERS>();
    // SAFETY: the handle is open, as it is borrowed; the structure has that size, and is written to.
    check(unsafe { GetProcessMemoryInfo(process.as_raw_handle(), &raw mut counters, size) })?;
    Ok(Memory { resident: counters.WorkingSetSize as u64, peak_resident: counters.PeakWorkingSetSize as u64 })
}

/// `GetNamedPipeServerProcessId`: the process that has made a pipe.
pub(in super::super) fn maker_of(pipe: BorrowedHandle<'_>) -> io::Result<u32> {
    let mut maker = 0;
    // SAFETY: the handle is open, as it is borrowed; the number is written to.
    check(unsafe { GetNamedPipeServerProcessId(pipe.as_raw_handle(), &raw mut maker) })?;
    Ok(maker)
}

/// `CreateToolhelp32Snapshot`: the number of the process that has started a process; `None` where that is not listed.
/// That one may have ended, and the number be another's by now.
pub(in super::super) fn starter_of(process: u32) -> io::Result<Option<u32>> {
    // SAFETY: it takes numbers.
    let list = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if list == windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and has no other owner.
    let list = unsafe { OwnedHandle::from_raw_handle(list) };
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut entry: PROCESSENTRY32W = unsafe { std::mem::zeroed() };
    entry.dwSize = size_of_u32::<PROCESSENTRY32W>();
    // SAFETY: the list is open, and the entry, which says how long it is, is written to.
    let mut has_more = unsafe { Process32FirstW(list.as_raw_handle(), &raw mut entry) } != 0;
    while has_more {
        if entry.th32ProcessID == process {
            return Ok(Some(entry.th32ParentProcessID));
        }
        // SAFETY: as above.
        has_more = unsafe { Process32NextW(list.as_raw_handle(), &raw mut entry) } != 0;
    }
    Ok(None)
}

//! Job objects: sets of processes that are limited, and end, together.
#![allow(unsafe_code)]

use super::result::{check, size_of_u32};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_PROCESS_MEMORY,
    JOB_OBJECT_LIMIT_PROCESS_TIME, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};

/// What a job limits; for each process in it, where nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Limits {
    /// What a process in the job starts is not in the job.
    pub(in super::super) lets_children_go: bool,
    /// Committed memory, in bytes.
    pub(in super::super) memory: Option<usize>,
    /// User-mode CPU time.
    pub(in super::super) cpu_time: Option<Duration>,
}

/// `CreateJobObjectW`: a job whose processes end when its last handle is closed.
pub(in super::super) fn create() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, and no name.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and has no other owner.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    limit(job.as_handle(), &Limits::default())?;
    Ok(job)
}

/// `SetInformationJobObject`: the limits of a job, which keeps what [`create`] says.
pub(in super::super) fn limit(job: BorrowedHandle<'_>, wanted: &Limits) -> io::Result<()> {
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { std::mem::zeroed() };
    let basic = &mut limits.BasicLimitInformation;
    basic.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if wanted.lets_children_go {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    }
    if let Some(time) = wanted.cpu_time {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_TIME;
        // In units of 100 ns.
        basic.PerProcessUserTimeLimit = i64::try_from(time.as_nanos() / 100).unwrap_or(i64::MAX);
    }
    if let Some(memory) = wanted.memory {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
        limits.ProcessMemoryLimit = memory;
    }
    let size = size_of_u32::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>();
    let from = (&raw const limits).cast();
    // SAFETY: the structure is of the kind and size that is said, and is read during the call.
    check(unsafe { SetInformationJobObject(job.as_raw_handle(), JobObjectExtendedLimitInformation, from, size) })
}

/// `TerminateJobObject`: ends all processes in it, with this exit code.
pub(in super::super) fn terminate(job: BorrowedHandle<'_>, code: u32) -> io::Result<()> {
    // SAFETY: the handle is open, as it is borrowed.
    check(unsafe { TerminateJobObject(job.as_raw_handle(), code) })
}

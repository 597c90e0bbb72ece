//! A job object, which has all processes that one in it starts.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};

/// One with the processes that are added to it, and those that they start.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl Job {
    /// One whose processes end with this one.
    ///
    /// # Errors
    ///
    /// The system makes none.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes, and no name; all zeroes is a valid value of the numbers, which are read.
        unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            if job.is_null() {
                return Err(io::Error::last_os_error());
            }
            let job = OwnedHandle::from_raw_handle(job);
            let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
            let (what, size) = (JobObjectExtendedLimitInformation, size_of_val(&limits) as u32);
            if SetInformationJobObject(job.as_raw_handle(), what, (&raw const limits).cast(), size) == 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(job))
        }
    }

    /// A process is in it from here on.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn add(&self, child: &Child) -> io::Result<()> {
        // SAFETY: two open handles.
        let added = unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) };
        if added == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// How many processes are in it.
    ///
    /// # Panics
    ///
    /// The system does not say.
    #[must_use]
    pub fn active(&self) -> u32 {
        // SAFETY: all zeroes is a valid value of the numbers, which are written to.
        unsafe {
            let mut count: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = std::mem::zeroed();
            let (what, size) = (JobObjectBasicAccountingInformation, size_of_val(&count) as u32);
            let into = (&raw mut count).cast();
            let known = QueryInformationJobObject(self.0.as_raw_handle(), what, into, size, std::ptr::null_mut());
            assert_ne!(known, 0, "{}", io::Error::last_os_error());
            count.ActiveProcesses
        }
    }

    /// Ends them all.
    pub fn end(&self) {
        // SAFETY: an open handle.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) };
    }
}

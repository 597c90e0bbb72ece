//! Making a process.
#![allow(unsafe_code)]

use super::result::{check, size_of_u32};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_INSUFFICIENT_BUFFER, GetLastError, HANDLE,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES,
    STARTUPINFOEXW, UpdateProcThreadAttribute,
};

/// What a process is made with.
#[derive(Debug)]
pub(in super::super) struct New<'a> {
    /// The path of its executable, with a zero at its end.
    pub(in super::super) program: &'a [u16],
    /// Names and values, with a zero behind each pair and another one at the end.
    pub(in super::super) environment: &'a [u16],
    /// Where its standard streams are, each of which can be inherited.
    pub(in super::super) standard: [Option<OwnedHandle>; 3],
    /// The job that it is in from its first moment on.
    pub(in super::super) job: BorrowedHandle<'a>,
    /// It leads a process group of its own, which gets no Ctrl+C.
    pub(in super::super) leads_group: bool,
    /// It has every handle of this process that can be inherited, and not just those of its standard streams.
    pub(in super::super) inherits_all: bool,
}

/// `CreateProcessW`, with this process' command line: a handle with all rights, and the number.
pub(in super::super) fn create(new: &New<'_>) -> io::Result<(OwnedHandle, u32)> {
    let standard =
        new.standard.each_ref().map(|one| one.as_ref().map_or(std::ptr::null_mut(), AsRawHandle::as_raw_handle));
    let inherited: Vec<HANDLE> = standard.into_iter().filter(|handle| !handle.is_null()).collect();
    let jobs = [new.job.as_raw_handle()];
    let mut attributes = Attributes::new()?;
    attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &jobs)?;
    if !new.inherits_all && !inherited.is_empty() {
        attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &inherited)?;
    }
    let inherits = new.inherits_all || !inherited.is_empty();
    // SAFETY: all zeroes is a valid value of both.
    let (mut start, mut made): (STARTUPINFOEXW, PROCESS_INFORMATION) = unsafe { std::mem::zeroed() };
    start.StartupInfo.cb = size_of_u32::<STARTUPINFOEXW>();
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    [start.StartupInfo.hStdInput, start.StartupInfo.hStdOutput, start.StartupInfo.hStdError] = standard;
    start.lpAttributeList = attributes.list();
    let mut flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT;
    if new.leads_group {
        flags |= CREATE_NEW_PROCESS_GROUP;
    }
    let mut command_line = command_line();
    debug_assert!(new.program.ends_with(&[0]) && new.environment.ends_with(&[0, 0]));
    // SAFETY: the strings and the block end as they should, and the command line is a copy that may be written to; the
    // attributes, with what they refer to, live until behind the call.
    check(unsafe {
        CreateProcessW(
            new.program.as_ptr(),
            command_line.as_mut_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            i32::from(inherits),
            flags,
            new.environment.as_ptr().cast(),
            std::ptr::null(),
            (&raw const start).cast(),
            &raw mut made,
        )
    })?;
    // SAFETY: both were made just now, and have no other owner.
    let [process, _thread] =
        unsafe { [made.hProcess, made.hThread].map(|handle| OwnedHandle::from_raw_handle(handle)) };
    Ok((process, made.dwProcessId))
}

/// `GetCommandLineW`: a copy, with the zero at its end.
fn command_line() -> Vec<u16> {
    // SAFETY: it is a string that ends with a zero, and nothing changes it.
    unsafe {
        let line = GetCommandLineW();
        let length = (0..).take_while(|place| *line.add(*place) != 0).count();
        std::slice::from_raw_parts(line, length + 1).to_vec()
    }
}

/// `DuplicateHandle`: one of this process, which the processes that it makes can inherit.
pub(in super::super) fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut duplicate = std::ptr::null_mut();
    // SAFETY: the handle is open, as it is borrowed; the other is written to.
    check(unsafe {
        let this = GetCurrentProcess();
        DuplicateHandle(this, handle.as_raw_handle(), this, &raw mut duplicate, 0, 1, DUPLICATE_SAME_ACCESS)
    })?;
    // SAFETY: it was made just now, and has no other owner.
    Ok(unsafe { OwnedHandle::from_raw_handle(duplicate) })
}

/// A list of attributes for a process that is to be made.
struct Attributes(Vec<u64>);

impl Attributes {
    /// `InitializeProcThreadAttributeList`: with room for as many as are ever set.
    fn new() -> io::Result<Self> {
        const MOST: u32 = 2;
        let mut size = 0;
        // SAFETY: without a list, it says how large one is.
        let sized = unsafe { InitializeProcThreadAttributeList(std::ptr::null_mut(), MOST, 0, &raw mut size) };
        // SAFETY: it has no preconditions.
        if sized != 0 || unsafe { GetLastError() } != ERROR_INSUFFICIENT_BUFFER {
            return Err(io::Error::last_os_error());
        }
        let mut list = Self(vec![0; size.div_ceil(size_of::<u64>())]);
        // SAFETY: it has that size, and is aligned for pointers.
        match check(unsafe { InitializeProcThreadAttributeList(list.list(), MOST, 0, &raw mut size) }) {
            Ok(()) => Ok(list),
            Err(e) => {
                // It is no list, whose drop would read it.
                std::mem::forget(list);
                Err(e)
            }
        }
    }

    fn list(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.0.as_mut_ptr().cast()
    }

    /// `UpdateProcThreadAttribute`. The handles must live for as long as the list is used.
    fn set(&mut self, which: u32, handles: &[HANDLE]) -> io::Result<()> {
        let value: *const c_void = handles.as_ptr().cast();
        // SAFETY: the list was made, and `create` keeps the handles for longer than it.
        check(unsafe {
            UpdateProcThreadAttribute(
                self.list(),
                0,
                which as usize,
                value,
                size_of_val(handles),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the list was made, and is used no more.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

//! Processes, as Windows lists them. There are no zombies: what has ended is not listed.

use crate::waiting::PATIENCE;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{FILETIME, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    TerminateProcess, WaitForSingleObject,
};

/// The processes that this one has started, and those that they have started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family(Vec<u32>);

impl Family {
    /// The family as it is now.
    #[must_use]
    pub fn now() -> Self {
        let mut others = listed();
        let mut family = Vec::new();
        let mut parents = vec![std::process::id()];
        while let Some(parent) = parents.pop() {
            let (children, rest) = others.into_iter().partition(|(_, starter)| *starter == parent);
            others = rest;
            // The number of a process that has ended may be this one's by now, but what that one has started is older.
            let children = children.into_iter().map(|(pid, _): (u32, u32)| pid);
            let children: Vec<_> = children.filter(|pid| !has_ended(*pid) && began(*pid) >= began(parent)).collect();
            parents.extend(&children);
            family.extend(children);
        }
        Self(family)
    }

    /// True when there is no process.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.0.clone()
    }

    /// All of them: they have no names of their own.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        self.0.clone()
    }

    /// There are none.
    #[must_use]
    pub fn fork_servers(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// The numbers of all processes, and of those that have started them.
fn listed() -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    // SAFETY: the snapshot is a handle of ours; all zeroes is a valid entry, which says how long it is, and is written
    // to.
    unsafe {
        let list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        assert_ne!(list, INVALID_HANDLE_VALUE, "{}", std::io::Error::last_os_error());
        let list = OwnedHandle::from_raw_handle(list);
        let mut entry: PROCESSENTRY32W = std::mem::zeroed();
        entry.dwSize = size_of::<PROCESSENTRY32W>() as u32;
        let mut has_more = Process32FirstW(list.as_raw_handle(), &raw mut entry) != 0;
        while has_more {
            found.push((entry.th32ProcessID, entry.th32ParentProcessID));
            has_more = Process32NextW(list.as_raw_handle(), &raw mut entry) != 0;
        }
    }
    found
}

/// When a process has begun; `None` of one that is gone.
fn began(pid: u32) -> Option<u64> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    const NEVER: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let [mut began, mut ended, mut system, mut user] = [NEVER; 4];
    // SAFETY: an open handle; the four times are written to.
    let known = unsafe { GetProcessTimes(process.as_raw_handle(), &mut began, &mut ended, &mut system, &mut user) };
    (known != 0).then(|| u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime))
}

/// True once a process has ended.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    wait_for_end(pid, Duration::ZERO)
}

/// The same.
#[must_use]
pub fn is_reaped(pid: u32) -> bool {
    has_ended(pid)
}

/// Kills a process, which may have gone.
pub fn kill(pid: u32) {
    if let Some(process) = open(pid, PROCESS_TERMINATE) {
        // SAFETY: an open handle.
        unsafe { TerminateProcess(process.as_raw_handle(), 9) };
    }
}

/// Blocks until a process has ended; false when that took too long.
#[must_use]
pub fn wait_for_end(pid: u32, patience: Duration) -> bool {
    let Some(process) = open(pid, PROCESS_SYNCHRONIZE) else { return true };
    let patience = u32::try_from(patience.as_millis()).expect("minutes at most");
    // SAFETY: an open handle.
    unsafe { WaitForSingleObject(process.as_raw_handle(), patience) == WAIT_OBJECT_0 }
}

/// Blocks until a process has ended, child or not.
///
/// # Panics
///
/// It did not, in all patience.
pub fn must_end(pid: u32) {
    assert!(wait_for_end(pid, PATIENCE), "process {pid} still lives after {PATIENCE:?}");
}

fn open(pid: u32, access: u32) -> Option<OwnedHandle> {
    // SAFETY: it takes numbers; what it opens has no other owner.
    unsafe {
        let process = OpenProcess(access, 0, pid);
        (!process.is_null()).then(|| OwnedHandle::from_raw_handle(process))
    }
}

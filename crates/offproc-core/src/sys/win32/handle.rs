//! Handles that go from one process to another.
#![allow(unsafe_code)]

use super::result::check;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle, RawSocket};
use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DUPLICATE_SAME_ACCESS, DuplicateHandle, GetHandleInformation, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, WaitForSingleObject};

/// The number of a handle, in the process that has it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Handle(u64);

impl Handle {
    pub(in super::super) fn of(handle: RawHandle) -> Self {
        Self(handle.addr() as u64)
    }

    pub(in super::super) fn of_socket(socket: RawSocket) -> Self {
        Self(socket)
    }

    pub(in super::super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    pub(in super::super) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// None of the numbers that stand for a process itself, its threads or their rights: a duplicate of such a one that
    /// is made for another process is of that process.
    fn real(self) -> io::Result<RawHandle> {
        const PSEUDO: std::ops::RangeInclusive<i64> = -6..=0;
        let number = usize::try_from(self.0).ok().filter(|_| !PSEUDO.contains(&self.0.cast_signed()));
        let number = number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no handle"))?;
        Ok(std::ptr::without_provenance_mut(number))
    }
}

/// `DuplicateHandle`: a duplicate that another process has.
pub(in super::super) fn put_into(process: BorrowedHandle<'_>, handle: BorrowedHandle<'_>) -> io::Result<Handle> {
    let mut there = std::ptr::null_mut();
    let (this, from, to) = (this(), handle.as_raw_handle(), process.as_raw_handle());
    // SAFETY: both handles are open, as they are borrowed; the number is written to.
    check(unsafe { DuplicateHandle(this, from, to, &raw mut there, 0, 0, DUPLICATE_SAME_ACCESS) })?;
    Ok(Handle::of(there))
}

/// `DuplicateHandle(DUPLICATE_CLOSE_SOURCE)`: takes a handle out of another process.
pub(in super::super) fn take_out_of(process: BorrowedHandle<'_>, handle: Handle) -> io::Result<OwnedHandle> {
    let mut here = std::ptr::null_mut();
    let (from, there, this) = (process.as_raw_handle(), handle.real()?, this());
    let options = DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE;
    // SAFETY: the handle of the process is open, as it is borrowed, and closing one of its handles is up to who started
    // it; the new one is written to.
    check(unsafe { DuplicateHandle(from, there, this, &raw mut here, 0, 0, options) })?;
    // SAFETY: it was made just now, and has no other owner.
    Ok(unsafe { OwnedHandle::from_raw_handle(here) })
}

/// `GetHandleInformation`: a handle that another process has put into this one.
pub(in super::super) fn given(handle: Handle) -> io::Result<OwnedHandle> {
    let (handle, mut flags) = (handle.real()?, 0);
    // SAFETY: any number may be asked for; the flags are written to.
    check(unsafe { GetHandleInformation(handle, &raw mut flags) })?;
    // SAFETY: it is open, and the parent, which this process obeys, has made it for it alone.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// `WaitForSingleObject`: whether a process has ended.
pub(in super::super) fn has_ended(process: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open, as it is borrowed.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

fn this() -> RawHandle {
    // SAFETY: it is a constant that stands for this process.
    unsafe { GetCurrentProcess() }
}

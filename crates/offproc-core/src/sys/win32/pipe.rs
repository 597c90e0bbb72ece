//! Pipes.
#![allow(unsafe_code)]

use super::result::check;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, GENERIC_WRITE, GetLastError, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_INBOUND, ReadFile,
};
use windows_sys::Win32::System::IO::{GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, CreatePipe, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
    PeekNamedPipe,
};
use windows_sys::Win32::System::Threading::CreateEventW;

/// `CreatePipe`: where to read, and where to write. Neither is inherited.
pub(in super::super) fn pipe(room: u32) -> io::Result<(File, File)> {
    let (mut read, mut write) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the two are written to; no attributes.
    check(unsafe { CreatePipe(&raw mut read, &raw mut write, std::ptr::null(), room) })?;
    // SAFETY: both were made just now, and have no other owner.
    Ok(unsafe { (File::from_raw_handle(read), File::from_raw_handle(write)) })
}

/// `CreateNamedPipeW(FILE_FLAG_OVERLAPPED)`, under a name that nothing has had: where to read, which several threads
/// can use at once, and where to write.
pub(in super::super) fn shared_pipe(name: &str, room: u32) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let name: Vec<u16> = format!(r"\\.\pipe\{name}").encode_utf16().chain([0]).collect();
    let access = PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
    let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    // SAFETY: the name ends with a zero; no attributes.
    let read = made(unsafe { CreateNamedPipeW(name.as_ptr(), access, mode, 1, room, room, 0, std::ptr::null()) })?;
    // SAFETY: as above. There is one such pipe, and it has one end for writing: either this is it, or the call fails.
    let write = made(unsafe {
        CreateFileW(name.as_ptr(), GENERIC_WRITE, 0, std::ptr::null(), OPEN_EXISTING, 0, std::ptr::null_mut())
    })?;
    Ok((read, write))
}

fn made(handle: *mut std::ffi::c_void) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and has no other owner.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// `PeekNamedPipe`: how many bytes there are; an error at the end.
pub(in super::super) fn available(pipe: BorrowedHandle<'_>) -> io::Result<usize> {
    let (nothing, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: the handle is open, as it is borrowed; the count is written to.
    check(unsafe { PeekNamedPipe(pipe.as_raw_handle(), nothing, 0, nothing.cast(), &raw mut count, nothing.cast()) })?;
    Ok(count as usize)
}

/// `ReadFile`, of a pipe of [`shared_pipe`]: waits for bytes, and appends as many as the vector has room for, which may
/// be none. An error at the end.
pub(in super::super) fn read(pipe: BorrowedHandle<'_>, into: &mut Vec<u8>) -> io::Result<usize> {
    // SAFETY: no attributes, and no name.
    let event = made(unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) })?;
    // SAFETY: all zeroes is a valid value of it.
    let mut overlapped: OVERLAPPED = unsafe { std::mem::zeroed() };
    overlapped.hEvent = event.as_raw_handle();
    let (pipe, space, mut count) = (pipe.as_raw_handle(), into.spare_capacity_mut(), 0);
    let room = u32::try_from(space.len()).unwrap_or(u32::MAX);
    // SAFETY: the handle is open, as it is borrowed; the space and the structure live until the read is over: the next
    // call waits for that.
    let begun = unsafe { ReadFile(pipe, space.as_mut_ptr().cast(), room, std::ptr::null_mut(), &raw mut overlapped) };
    // SAFETY: it has no preconditions.
    if begun == 0 && unsafe { GetLastError() } != ERROR_IO_PENDING {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the structure is that of the read.
    check(unsafe { GetOverlappedResult(pipe, &raw const overlapped, &raw mut count, 1) })?;
    // SAFETY: so many bytes of the space were written.
    unsafe { into.set_len(into.len() + count as usize) };
    Ok(count as usize)
}

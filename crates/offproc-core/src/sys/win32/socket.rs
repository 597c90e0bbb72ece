//! Sockets that go from one process to another.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{
    AsRawHandle, AsRawSocket, BorrowedSocket, FromRawSocket, OwnedHandle, OwnedSocket, RawSocket,
};
use std::sync::Once;
use windows_sys::Win32::Networking::WinSock::{
    FROM_PROTOCOL_INFO, INVALID_SOCKET, SOCKET, WSA_FLAG_NO_HANDLE_INHERIT, WSA_FLAG_OVERLAPPED, WSADATA,
    WSADuplicateSocketW, WSAGetLastError, WSAPROTOCOL_INFOW, WSASocketW, WSAStartup,
};

/// The words by which a process gets a socket.
pub(in super::super) const WORDS: usize = size_of::<WSAPROTOCOL_INFOW>();

/// `WSAStartup`: std calls it before it makes the first socket of its own; this process may not have made one.
pub(in super::super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: all zeroes is a valid value of it.
        let mut data: WSADATA = unsafe { std::mem::zeroed() };
        // SAFETY: version 2.2; the structure is written to.
        unsafe { WSAStartup(0x202, &raw mut data) };
    });
}

fn failure() -> io::Error {
    // SAFETY: it has no preconditions.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

fn raw(socket: BorrowedSocket<'_>) -> SOCKET {
    #[allow(clippy::cast_possible_truncation, reason = "of the size of an address")]
    return socket.as_raw_socket() as SOCKET;
}

/// `WSADuplicateSocketW`: what the process with this number gets the socket by, once.
pub(in super::super) fn duplicate_for(socket: BorrowedSocket<'_>, process: u32) -> io::Result<[u8; WORDS]> {
    // SAFETY: all zeroes is a valid value of it.
    let mut info: WSAPROTOCOL_INFOW = unsafe { std::mem::zeroed() };
    // SAFETY: the socket is open, as it is borrowed; the structure is written to.
    if unsafe { WSADuplicateSocketW(raw(socket), process, &raw mut info) } != 0 {
        return Err(failure());
    }
    // SAFETY: of the same size, and zeroed before it was written to: all its bytes are initialised.
    Ok(unsafe { std::mem::transmute::<WSAPROTOCOL_INFOW, [u8; WORDS]>(info) })
}

/// The socket behind a handle that has come from another process, for which no words of that process are believed: with
/// them it could name any socket of this one.
pub(in super::super) fn of_handle(handle: OwnedHandle) -> io::Result<OwnedSocket> {
    // SAFETY: it is not used as a socket but to ask for one by it, which fails where it is none.
    let socket = unsafe { BorrowedSocket::borrow_raw(handle.as_raw_handle().addr() as RawSocket) };
    start();
    from_words(&duplicate_for(socket, std::process::id())?)
}

/// `WSASocketW(FROM_PROTOCOL_INFO)`: the socket that another process has given to this one.
pub(in super::super) fn from_words(words: &[u8; WORDS]) -> io::Result<OwnedSocket> {
    start();
    // SAFETY: of the same size; it is numbers, any of which are valid.
    let info = unsafe { std::mem::transmute::<[u8; WORDS], WSAPROTOCOL_INFOW>(*words) };
    let (any, flags) = (FROM_PROTOCOL_INFO, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    // SAFETY: the structure is read during the call.
    let socket = unsafe { WSASocketW(any, any, any, &raw const info, 0, flags) };
    if socket == INVALID_SOCKET {
        return Err(failure());
    }
    // SAFETY: it was made just now, and has no other owner.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket as u64) })
}

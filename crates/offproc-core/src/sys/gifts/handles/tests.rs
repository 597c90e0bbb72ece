//! What a worker that has been taken over may list.

use super::*;
use crate::sys::pairs::pair;
use crate::sys::win32::this;
use std::fs::File;
use std::net::UdpSocket;
use std::os::windows::io::RawHandle;

/// A connection to a worker, whose process is this one.
fn connection() -> TrackedSocket {
    let (ours, _) = pair().unwrap();
    let process = this::process().try_clone_to_owned().unwrap();
    ours.is_before(Behind::Process(Peer { process, pid: std::process::id() }));
    ours
}

fn listed(kind: u8, number: i64) -> Vec<u8> {
    [&[kind][..], &number.to_le_bytes()].concat()
}

fn executable() -> OwnedHandle {
    File::open(std::env::current_exe().unwrap()).unwrap().into()
}

#[test]
fn what_a_worker_lists_is_taken_out_of_it() {
    let (file, socket) = (executable(), OwnedSocket::from(UdpSocket::bind("127.0.0.1:0").unwrap()));
    let number = |handle: RawHandle| handle.addr() as i64;
    let (file, socket) = (number(file.into_raw_handle()), socket.into_raw_socket() as i64);
    let (list, mut taken) = ([listed(HANDLE, file), listed(SOCKET_AS_HANDLE, socket)].concat(), Vec::new());
    take(&connection(), &list, &mut taken).unwrap();
    let Ok([file_taken, socket_taken]) = <[Gift; 2]>::try_from(taken) else { panic!("there are two") };
    assert!(File::try_from(file_taken).unwrap().metadata().unwrap().is_file());
    assert!(UdpSocket::try_from(socket_taken).unwrap().local_addr().is_ok());
    // They are closed in the worker: nothing is there a second time.
    for (kind, number) in [(HANDLE, file), (SOCKET_AS_HANDLE, socket)] {
        assert!(take(&connection(), &listed(kind, number), &mut Vec::new()).is_err());
    }
}

#[test]
fn what_a_worker_has_not_is_an_error() {
    for number in (-6..=0).chain([i64::MAX, i64::MIN, 0x7ff0]) {
        for kind in [HANDLE, SOCKET_AS_HANDLE] {
            assert!(take(&connection(), &listed(kind, number), &mut Vec::new()).is_err(), "{kind}, {number}");
        }
    }
    // A file as a socket, words that would name a socket of the program, and what is cut off.
    let file = executable().into_raw_handle().addr() as i64;
    assert!(take(&connection(), &listed(SOCKET_AS_HANDLE, file), &mut Vec::new()).is_err());
    assert!(take(&connection(), &[&[SOCKET][..], &[0; system::WORDS]].concat(), &mut Vec::new()).is_err());
    for rest in [&[HANDLE, 1][..], &[7, 1, 2, 3, 4, 5, 6, 7, 8]] {
        assert!(take(&connection(), rest, &mut Vec::new()).is_err());
    }
}

#[test]
fn a_worker_lists_no_more_than_go_with_a_message() {
    let list: Vec<u8> =
        (0..=MAX_FDS).flat_map(|_| listed(HANDLE, executable().into_raw_handle().addr() as i64)).collect();
    let mut taken = Vec::new();
    assert!(take(&connection(), &list, &mut taken).is_err());
    assert_eq!(taken.len(), MAX_FDS);
}

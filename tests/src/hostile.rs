//! A job that has taken its worker over: it finds offproc's connection and memory there, and sends frames and words in
//! offproc's place. `docs/wire-format.md` describes them.
#![allow(clippy::missing_panics_doc, reason = "a panic is how such a job fails")]

use rustix::fs::OFlags;
use rustix::io::{pread, pwrite};
use rustix::net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sockopt};
use std::fs;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The version of the protocol, in every frame.
pub const VERSION: u8 = 5;

/// A worker's own descriptors are from here on: a fork of the test has some of the test's, too.
const HIGH: i32 = 512;

/// The kinds of frames that are used here.
pub const HELLO: u8 = 1;
/// See [`HELLO`].
pub const ATTACHED: u8 = 4;
/// See [`HELLO`].
pub const REFUSED: u8 = 18;
/// See [`HELLO`].
pub const DONE: u8 = 19;
/// See [`HELLO`].
pub const STAYS: u8 = 21;
/// See [`HELLO`].
pub const LEAVES: u8 = 22;

/// Where the words are.
pub const TURN: u64 = 0;
/// See [`TURN`].
pub const REPLY: u64 = 64;
/// See [`TURN`].
pub const TAKEN: u64 = 68;
const KIND: u64 = 76;
const DATA: u64 = 4096;

fn descriptors() -> impl Iterator<Item = (BorrowedFd<'static>, String)> {
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number >= HIGH)
        .collect();
    numbers.into_iter().filter_map(|number| {
        let what = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        // SAFETY: it is open, as there was a link, and offproc closes none of its own while a job runs.
        Some((unsafe { BorrowedFd::borrow_raw(number) }, what.to_str()?.to_owned()))
    })
}

/// The worker's connection: the stream socket that is not its lifeline.
#[must_use]
pub fn control() -> BorrowedFd<'static> {
    stream_socket(false)
}

/// The worker's lifeline: the stream socket that ends it.
#[must_use]
pub fn lifeline() -> BorrowedFd<'static> {
    stream_socket(true)
}

fn stream_socket(ends_worker: bool) -> BorrowedFd<'static> {
    let is_lifeline = |fd: BorrowedFd<'_>, what: &str| {
        if cfg!(offproc_portable) {
            return copies(what) > 1; // one is that of the thread that waits for its end
        }
        let flags = rustix::fs::fcntl_getfl(fd).expect("flags");
        flags.contains(OFlags::from_bits_retain(libc::O_ASYNC as u32))
    };
    let is_it = |fd: BorrowedFd<'_>, what: &str| {
        sockopt::socket_type(fd) == Ok(SocketType::STREAM)
            && sockopt::socket_domain(fd) == Ok(AddressFamily::UNIX)
            && is_lifeline(fd, what) == ends_worker
    };
    descriptors().find(|(fd, what)| what.starts_with("socket:") && is_it(*fd, what)).expect("such a socket").0
}

/// The pipe that it logs to: the one whose other end is not here.
#[must_use]
pub fn log_pipe() -> BorrowedFd<'static> {
    let is_it = |fd: BorrowedFd<'_>, what: &str| {
        rustix::fs::fcntl_getfl(fd).expect("flags") & OFlags::RWMODE == OFlags::WRONLY && copies(what) == 1
    };
    descriptors().find(|(fd, what)| what.starts_with("pipe:") && is_it(*fd, what)).expect("such a pipe").0
}

/// How many of offproc's own descriptors are of that.
fn copies(what: &str) -> usize {
    descriptors().filter(|(_, other)| other == what).count()
}

/// The memory that it shares with its parent, where it does.
#[must_use]
pub fn memory() -> Option<BorrowedFd<'static>> {
    descriptors().find(|(_, what)| what.starts_with("/memfd:offproc (")).map(|(fd, _)| fd)
}

/// What wakes the parent.
#[must_use]
pub fn bell() -> BorrowedFd<'static> {
    descriptors().find(|(_, what)| what.contains("[eventfd]")).expect("a bell").0
}

/// A frame's header.
#[must_use]
pub fn header(version: u8, kind: u8, length: u64) -> Vec<u8> {
    let mut header = vec![version, kind, 0, 0, 0, 0, 0, 0];
    header.extend(length.to_le_bytes());
    header
}

/// A value without blocks, of what postcard has for it.
#[must_use]
pub fn value(content: &[u8]) -> Vec<u8> {
    [content, &[0]].concat()
}

/// A whole frame.
#[must_use]
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = header(VERSION, kind, body.len() as u64);
    frame.extend(body);
    frame
}

/// Says something on the connection, with descriptors; false when the parent has closed it.
pub fn say(bytes: &[u8], descriptors: &[OwnedFd]) -> bool {
    say_on(control(), bytes, descriptors)
}

/// Says something on a connection, with descriptors; false when the other side has closed it.
pub fn say_on(connection: BorrowedFd<'_>, mut bytes: &[u8], descriptors: &[OwnedFd]) -> bool {
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)));
    }
    while !bytes.is_empty() {
        match rustix::net::sendmsg(connection, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
        ancillary.clear();
    }
    true
}

/// A connection to this address whose last close takes an hour, or until the other side closes: it has unsent data.
#[must_use]
pub fn lingering(address: &str) -> OwnedFd {
    let mut connection = TcpStream::connect(address).expect("the test listens");
    sockopt::set_socket_linger(&connection, Some(Duration::from_secs(3600))).expect("a socket");
    connection.set_nonblocking(true).expect("a socket");
    while connection.write(&[0; 1 << 16]).is_ok() {}
    connection.into()
}

/// Writes to the memory.
pub fn scribble(at: u64, bytes: &[u8]) {
    assert_eq!(pwrite(memory().expect("memory"), bytes, at), Ok(bytes.len()));
}

/// Answers by the words, whatever they say, and wakes the parent.
pub fn reply(kind: u32, length: u64, descriptors: u32) {
    let mut up = kind.to_ne_bytes().to_vec();
    up.extend(length.to_ne_bytes());
    up.extend(descriptors.to_ne_bytes());
    scribble(KIND, &up);
    let mut turn = [0; 4];
    pread(memory().expect("memory"), &mut turn, TURN).expect("a turn");
    scribble(REPLY, &turn);
    ring();
}

/// Wakes the parent.
pub fn ring() {
    rustix::io::write(bell(), &1_u64.to_ne_bytes()).expect("a bell");
}

/// Answers in form, over whichever transport there is, with a value of this content.
pub fn answer(content: &[u8], descriptors: &[OwnedFd]) {
    let body = value(content);
    if memory().is_none() {
        say(&frame(DONE, &body), descriptors);
        return;
    }
    if !descriptors.is_empty() {
        say(&frame(ATTACHED, &value(&[0])), descriptors);
    }
    scribble(DATA, &body);
    reply(DONE.into(), body.len() as u64, u32::from(!descriptors.is_empty()));
}

/// Goes on for ever without doing anything.
pub fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

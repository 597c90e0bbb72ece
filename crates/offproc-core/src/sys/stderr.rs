//! Lines on stderr, without std's lock, which any thread may hold.

use super::thread;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::BorrowedFd;

/// How long to wait for a non-blocking stream that is full.
const FULL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Prints a line on stderr, as from offproc, in one piece.
pub(crate) fn say(text: impl fmt::Display) {
    write_to_stderr(format!("offproc: {text}\n").as_bytes());
}

/// `write`, to stderr: see [`write_all`].
pub(crate) fn write_to_stderr(bytes: &[u8]) {
    write_all(rustix::stdio::stderr(), bytes);
}

/// `write`, until all is written, or as much as possible: a stream that is closed, or broken, or full for long, loses
/// the rest.
pub(crate) fn write_all(stream: BorrowedFd<'_>, mut rest: &[u8]) {
    while !rest.is_empty() {
        match rustix::io::write(stream, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if poll(&mut [PollFd::new(&stream, PollFlags::OUT)], Some(&FULL)) != Ok(0) => {}
            Err(_) => return,
        }
    }
}

/// Writes a line to stderr, from a thread of its own, as its reader may be slow. If no thread can be started, the line
/// is lost.
pub fn warn(mut line: String) {
    line.push('\n');
    let write = move || {
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match rustix::io::write(rustix::stdio::stderr(), rest) {
                Ok(0) => break,
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    };
    let _ = thread::start("offproc-warning", None, write);
}

//! Waiting for a descriptor without blocking a thread.

use super::fd_numbers::duplicate_high;
use async_io::Async;
use std::io;
use std::os::fd::AsFd;

/// Waits until it is readable.
///
/// # Errors
///
/// There is no descriptor or memory for the registration.
pub(super) async fn readable(fd: &impl AsFd) -> io::Result<()> {
    let readable = async { Async::new_nonblocking(fd.as_fd())?.readable().await }.await;
    if readable.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::AlreadyExists) {
        // Another background task waits for it: a second registration takes a descriptor of its own.
        return Async::new_nonblocking(duplicate_high(fd)?)?.readable().await;
    }
    readable
}

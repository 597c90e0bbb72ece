//! Process groups: what a process has started, as long as that has not left its group.
#![allow(unsafe_code)]

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sends SIGKILL to the group that a process leads, or led while it lived; also when that group is empty or was never
/// made. By pidfd: a number may be another's by then.
///
/// # Errors
///
/// `INVAL`: the kernel is older than Linux 6.9.
pub(crate) fn kill(leader: BorrowedFd<'_>) -> Result<(), Errno> {
    const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call takes numbers and a pointer that may be null, and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, leader.as_raw_fd(), libc::SIGKILL, info, PIDFD_SIGNAL_PROCESS_GROUP)
    };
    if result < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

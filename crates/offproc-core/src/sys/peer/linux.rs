//! Which process made the socket at the other end, and whether this process has no rights that that one lacks.

use super::kernel;
use crate::error::about;
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{Pid, getegid, geteuid, getgid, getgroups, getppid, getuid};
use std::error::Error;
use std::io;
use std::os::fd::BorrowedFd;

/// `getsockopt(SO_PEERCRED)`: confirms that a stream socket was made by the parent of this process, with the rights
/// that this process has.
pub(crate) fn must_be_parent(socket: BorrowedFd<'_>) -> io::Result<()> {
    let peer = of(socket).map_err(|e| about("its stdin is not a private socket of its parent", e))?;
    // No number at all: one of the two is in another PID namespace, so they cannot be compared.
    let Some(pid) = Pid::from_raw(peer.pid) else {
        return refused("the socket at its stdin belongs to a process that cannot be seen from its PID namespace");
    };
    if getppid() != Some(pid) {
        return refused(format!("the socket at its stdin belongs to process {}, not to its parent", peer.pid));
    }
    if [getuid(), geteuid()].iter().any(|user| user.as_raw() != peer.uid) {
        return refused(format!("its parent runs as another user, {}", peer.uid));
    }
    // A wrapper between the two may have given more rights to the same user.
    if [getgid(), getegid()].iter().any(|group| group.as_raw() != peer.gid) {
        return refused(format!("its parent runs as another group, {}", peer.gid));
    }
    if has_more_groups(socket).map_err(|e| about("its groups could not be compared with its parent's", e))? {
        return refused("it is in groups that its parent is not in");
    }
    if has_more_capabilities(pid).map_err(|e| about("its capabilities could not be compared with its parent's", e))? {
        return refused("it has capabilities that its parent does not have");
    }
    // The parent may have ended meanwhile, and the number may be another process's.
    if getppid() == Some(pid) { Ok(()) } else { refused("its parent has ended") }
}

fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> io::Result<()> {
    Err(io::Error::other(reason))
}

/// True if the socket seems to belong to the process that started this one: the same number (which may be none, if
/// neither is visible from here), and its user. That suffices to send it the reason why this process is not its worker.
pub(crate) fn is_parents(socket: BorrowedFd<'_>) -> bool {
    match of(socket) {
        Ok(peer) => peer.pid == getppid().map_or(0, Pid::as_raw_pid) && peer.uid == getuid().as_raw(),
        // A seccomp filter forbids the question. A process without privileges cannot give a filter to a program that
        // has them.
        Err(e) => matches!(e.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS)),
    }
}

fn of(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    if sockopt::socket_domain(socket)? != AddressFamily::UNIX || sockopt::socket_type(socket)? != SocketType::STREAM {
        return Err(io::Error::other("it is not a stream socket of this system"));
    }
    kernel::peer_credentials(socket)
}

fn has_more_groups(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let ours = getgroups()?;
    if ours.is_empty() {
        return Ok(false);
    }
    let theirs = kernel::peer_groups(socket)?;
    Ok(ours.iter().any(|group| !theirs.contains(&group.as_raw())))
}

fn has_more_capabilities(parent: Pid) -> io::Result<bool> {
    use rustix::thread::capabilities;
    // A process that root starts has all of root's capabilities, without a wrapper that added any.
    if geteuid().is_root() {
        return Ok(false);
    }
    let ours = capabilities(None)?.permitted;
    Ok(!ours.is_empty() && !capabilities(Some(parent))?.permitted.contains(ours))
}

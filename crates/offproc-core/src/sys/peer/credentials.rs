//! Which process made the socket at the other end, and whether this process has no rights that that one lacks. On these
//! systems rights are users and groups.

use super::{flags, kernel};
use crate::error::about;
use rustix::net::{SocketType, sockopt};
use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};
use std::error::Error;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::parent_id;

/// `getsockopt(LOCAL_PEERCRED)`: confirms that a stream socket was made by the parent of this process, with the rights
/// that this process has.
pub(crate) fn must_be_parent(socket: BorrowedFd<'_>) -> io::Result<()> {
    let peer = Peer::of(socket).map_err(|e| about("its stdin is not a private socket of its parent", e))?;
    let parent = parent_id();
    if parent != peer.pid {
        return refused(format!("the socket at its stdin belongs to process {}, not to its parent", peer.pid));
    }
    if [getuid(), geteuid()].iter().any(|user| user.as_raw() != peer.user) {
        return refused(format!("its parent runs as another user, {}", peer.user));
    }
    // A wrapper between the two may have given more rights to the same user.
    let mut ours = vec![getgid(), getegid()];
    ours.extend(getgroups().map_err(|e| about("its groups could not be compared with its parent's", e))?);
    // The system reports so many of the parent's, and no more.
    let is_known = |group: &u32| peer.groups.contains(group) || peer.groups.len() == Peer::MOST_GROUPS;
    if !ours.iter().map(|group| group.as_raw()).all(|group| is_known(&group)) {
        return refused("it is in groups that its parent is not in");
    }
    // The parent may have ended meanwhile, and the number may be another process's.
    if parent_id() == parent { Ok(()) } else { refused("its parent has ended") }
}

fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> io::Result<()> {
    Err(io::Error::other(reason))
}

/// True if the socket seems to belong to the process that started this one. That suffices to send it the reason why
/// this process is not its worker.
pub(crate) fn is_parents(socket: BorrowedFd<'_>) -> bool {
    Peer::of(socket).is_ok_and(|peer| peer.pid == parent_id() && peer.user == getuid().as_raw())
}

struct Peer {
    pid: u32,
    user: u32,
    groups: Vec<u32>,
}

impl Peer {
    const MOST_GROUPS: usize = 16;

    fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        if !flags::is_local(socket) || sockopt::socket_type(socket)? != SocketType::STREAM {
            return Err(io::Error::other("it is not a stream socket of this system"));
        }
        let credentials = kernel::peer_credentials(socket)?;
        let pid = kernel::peer_process(socket, &credentials)?.unsigned_abs();
        let count = usize::try_from(credentials.cr_ngroups).unwrap_or(0);
        let groups = credentials.cr_groups.iter().take(count).copied().collect();
        Ok(Self { pid, user: credentials.cr_uid, groups })
    }
}

//! Who made the socket at the other end, and whether this process may do no more than that one.
#![allow(unsafe_code)]

use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{Pid, getegid, geteuid, getgid, getgroups, getppid, getuid};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Confirms that a stream socket was made by the parent of this process, with the rights that this process has. The
/// error is the reason, in words.
pub(crate) fn must_be_parent(socket: BorrowedFd<'_>) -> Result<(), String> {
    let peer = of(socket).map_err(|e| format!("its stdin is not a private socket of its parent ({e})"))?;
    // No number at all: one of the two is in another PID namespace, so nobody can tell whether they are the same.
    let Some(pid) = Pid::from_raw(peer.pid) else {
        return Err("the socket at its stdin belongs to a process that cannot be seen from here".to_owned());
    };
    if getppid() != Some(pid) {
        return Err(format!("the socket at its stdin belongs to process {}, not to its parent", peer.pid));
    }
    if [getuid(), geteuid()].iter().any(|user| user.as_raw() != peer.uid) {
        return Err("its parent is another user".to_owned());
    }
    // The same user may still have been given more, by a wrapper between the two.
    if [getgid(), getegid()].iter().any(|group| group.as_raw() != peer.gid) {
        return Err("its parent is of another group".to_owned());
    }
    if has_more_groups(socket).map_err(|e| format!("its groups could not be compared ({e})"))? {
        return Err("it is of groups that its parent is not of".to_owned());
    }
    if has_more_capabilities(pid).map_err(|e| format!("its capabilities could not be compared ({e})"))? {
        return Err("it has capabilities that its parent does not have".to_owned());
    }
    // Its parent may have ended meanwhile, and the number may be another's.
    if getppid() == Some(pid) { Ok(()) } else { Err("its parent has gone".to_owned()) }
}

/// By `libc`, as the process id may be 0.
fn of(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    if sockopt::socket_domain(socket)? != AddressFamily::UNIX || sockopt::socket_type(socket)? != SocketType::STREAM {
        return Err(io::Error::other("it is not a stream socket of this system"));
    }
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("a few bytes");
    // SAFETY: `peer` is a variable of ours, of the length that is said, and may have any content.
    let told = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    if told == 0 { Ok(peer) } else { Err(io::Error::last_os_error()) }
}

fn has_more_groups(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let ours = getgroups()?;
    if ours.is_empty() {
        return Ok(false);
    }
    // Its parent's may be more.
    let mut theirs: Vec<libc::gid_t> = vec![0; ours.len().max(64)];
    loop {
        let mut length = libc::socklen_t::try_from(size_of_val(&theirs[..])).map_err(io::Error::other)?;
        // SAFETY: the vector has that many bytes, and any number is a group.
        let told = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                theirs.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        match (told, io::Error::last_os_error()) {
            (0, _) => {
                theirs.truncate(count);
                return Ok(ours.iter().any(|group| !theirs.contains(&group.as_raw())));
            }
            (_, e) if e.raw_os_error() == Some(libc::ERANGE) && count > theirs.len() => theirs.resize(count, 0),
            (_, e) => return Err(e),
        }
    }
}

fn has_more_capabilities(parent: Pid) -> io::Result<bool> {
    use rustix::thread::capabilities;
    // What root starts has what root may have; nobody had to give it that.
    if geteuid().is_root() {
        return Ok(false);
    }
    let ours = capabilities(None)?.permitted;
    Ok(!ours.is_empty() && !capabilities(Some(parent))?.permitted.contains(ours))
}

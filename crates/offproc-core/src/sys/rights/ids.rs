//! The rights of the program, as far as a few cheap system calls show them: users and groups. The parent compares those
//! that a worker was started with with those that the program has when the worker is to run a job.

use super::syscall::getgroups;
use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getuid};

/// Users and groups, and the root directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Real and effective.
    users: [Uid; 2],
    groups: [Gid; 2],
    supplementary: Vec<libc::gid_t>,
    /// The root directory, by device and number.
    root: Option<(libc::dev_t, libc::ino_t)>,
}

impl Rights {
    pub(crate) fn now() -> Self {
        /// More than these systems have.
        const MOST: usize = 1024;
        let mut supplementary = vec![0; MOST];
        let count = getgroups(&mut supplementary).unwrap_or(0);
        supplementary.truncate(count);
        let root = rustix::fs::stat("/").ok().map(|root| (root.st_dev, root.st_ino));
        Self { users: [getuid(), geteuid()], groups: [getgid(), getegid()], supplementary, root }
    }

    /// True if the program has these.
    pub(crate) fn are_ours(&self) -> bool {
        *self == Self::now()
    }
}

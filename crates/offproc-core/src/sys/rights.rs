//! The rights of the calling thread, as far as a few cheap system calls show them. The parent compares those that a
//! worker was started with with those that the program has when the worker is to run a job.

use super::kernel::{getresgid, getresuid};
use super::syscall::getgroups;
use rustix::thread::{CapabilitySet, capabilities, no_new_privs};

/// Users, groups, capabilities, the root directory, and whether privileges have been given up for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Real, effective and saved.
    users: [libc::uid_t; 3],
    groups: [libc::gid_t; 3],
    supplementary: Vec<libc::gid_t>,
    /// Effective and permitted. A change of the user for file access alone (`setfsuid`) shows here, as root loses some
    /// with it.
    capabilities: Option<(CapabilitySet, CapabilitySet)>,
    /// The root directory, by device and number.
    root: Option<(u64, u64)>,
    /// `no_new_privs`, which landlock and seccomp require of users other than root.
    no_new_privileges: Option<bool>,
}

impl Rights {
    /// Those of the calling thread: another thread may have changed its own alone.
    pub(crate) fn now() -> Self {
        Self {
            users: getresuid(),
            groups: getresgid(),
            supplementary: with_supplementary_groups(<[_]>::to_vec),
            capabilities: effective_and_permitted(),
            root: root(),
            no_new_privileges: no_new_privs().ok(),
        }
    }

    /// True if the calling thread has these. Checked before each job that wakes a worker.
    pub(crate) fn are_ours(&self) -> bool {
        self.users == getresuid()
            && self.groups == getresgid()
            && with_supplementary_groups(|groups| groups == self.supplementary)
            && self.capabilities == effective_and_permitted()
            && self.root == root()
            && self.no_new_privileges == no_new_privs().ok()
    }
}

fn effective_and_permitted() -> Option<(CapabilitySet, CapabilitySet)> {
    capabilities(None).ok().map(|sets| (sets.effective, sets.permitted))
}

fn root() -> Option<(u64, u64)> {
    rustix::fs::stat("/").ok().map(|root| (root.st_dev, root.st_ino))
}

fn with_supplementary_groups<T>(look: impl FnOnce(&[libc::gid_t]) -> T) -> T {
    /// More than most users have.
    const FEW: usize = 32;
    let mut few = [0; FEW];
    if let Some(count) = getgroups(&mut few) {
        return look(&few[..count]);
    }
    // As many as the kernel knows.
    let mut many = vec![0; 1 << 16];
    let count = getgroups(&mut many).unwrap_or(0);
    look(&many[..count])
}

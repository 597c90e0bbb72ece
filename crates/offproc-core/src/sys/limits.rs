//! All resource limits of a process, for its children.

use super::kernel::LIMITS;
use super::syscall;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

/// The soft and the hard limit; `None`: there is none.
pub(crate) type Limit = (Option<u64>, Option<u64>);

/// `getrlimit`: one of this process's.
pub(crate) fn of(resource: Resource) -> rustix::io::Result<Limit> {
    syscall::getrlimit(resource)
}

/// What a worker can be limited in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limited {
    AddressSpace,
    CpuTime,
    FileSize,
    OpenFiles,
    CoreSize,
    Stack,
}

impl Limited {
    fn resource(self) -> Resource {
        match self {
            Self::AddressSpace => Resource::As,
            Self::CpuTime => Resource::Cpu,
            Self::FileSize => Resource::Fsize,
            Self::OpenFiles => Resource::Nofile,
            Self::CoreSize => Resource::Core,
            Self::Stack => Resource::Stack,
        }
    }
}

/// Whether the system can limit a process so.
pub(crate) fn are_supported(_: Limited) -> bool {
    true
}

/// `setrlimit`: limits this process, and what it starts, for good. Only downwards: never above what it may have now.
pub(crate) fn lower(limited: Limited, most: u64) -> rustix::io::Result<()> {
    let resource = limited.resource();
    let (_, hard) = of(resource)?;
    let allowed = Some(hard.map_or(most, |hard| hard.min(most)));
    setrlimit(resource, Rlimit { current: allowed, maximum: allowed })
}

/// Those of this process, in a fixed order; empty if the system does not report them.
pub(crate) fn all() -> Vec<Limit> {
    LIMITS.iter().map(|resource| of(*resource)).collect::<Result<_, _>>().unwrap_or_default()
}

/// `setrlimit`: sets one of them, by its place in that order; a hard limit that cannot be raised stays as it is.
pub(crate) fn set(place: usize, (current, maximum): Limit) -> rustix::io::Result<()> {
    let resource = *LIMITS.get(place).ok_or(Errno::INVAL)?;
    setrlimit(resource, Rlimit { current, maximum }).or_else(|_| {
        let (_, own) = of(resource)?;
        let current = own.map_or(current, |own| Some(current.map_or(own, |current| current.min(own))));
        setrlimit(resource, Rlimit { current, maximum: own })
    })
}

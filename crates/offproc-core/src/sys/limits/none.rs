//! The resource limits that a process inherits: none, as those of a job hold for all that is in it.

use std::io;

/// The soft and the hard limit; `None`: there is none.
pub(crate) type Limit = (Option<u64>, Option<u64>);

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

/// Whether the system can limit a process so.
pub(crate) fn are_supported(limited: Limited) -> bool {
    matches!(limited, Limited::AddressSpace | Limited::CpuTime)
}

/// The parent has set it, on the job.
#[expect(clippy::unnecessary_wraps, reason = "other systems set it here")]
pub(crate) fn lower(_: Limited, _most: u64) -> io::Result<()> {
    Ok(())
}

/// No fork server starts workers here, so none has other limits than the program.
pub(crate) fn set(_place: usize, _: Limit) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

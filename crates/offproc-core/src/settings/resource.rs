//! Resources that the system limits.

use crate::sys::limits::Limited;
use serde::{Deserialize, Serialize};

/// A resource whose use by one worker can be limited; past the limit, the system refuses or kills, as each variant
/// says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes of address space (`RLIMIT_AS`): allocations fail, which aborts most Rust programs.
    AddressSpace,
    /// Seconds of CPU time (`RLIMIT_CPU`): SIGXCPU, which kills.
    CpuTime,
    /// Bytes in a file it writes (`RLIMIT_FSIZE`): SIGXFSZ, which kills.
    FileSize,
    /// Open descriptors (`RLIMIT_NOFILE`): opening more fails.
    OpenFiles,
    /// Bytes in a core dump (`RLIMIT_CORE`); 0 for none.
    CoreSize,
    /// Bytes of stack for the thread that runs jobs (`RLIMIT_STACK`): SIGSEGV, which kills. Threads that a job starts
    /// have stacks of the size that the job chooses, in Rust 2 MiB by default.
    Stack,
}

impl Resource {
    pub(crate) fn limited(self) -> Limited {
        match self {
            Self::AddressSpace => Limited::AddressSpace,
            Self::CpuTime => Limited::CpuTime,
            Self::FileSize => Limited::FileSize,
            Self::OpenFiles => Limited::OpenFiles,
            Self::CoreSize => Limited::CoreSize,
            Self::Stack => Limited::Stack,
        }
    }
}

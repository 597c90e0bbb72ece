//! What can go wrong with a call, the outcomes kept apart.

mod broken;
mod codec;
pub(crate) mod death;
mod fault;
mod panic;
mod phase;

use std::time::Duration;
use std::{fmt, io};

pub use broken::BrokenWorkerError;
pub use codec::{DecodeError, EncodeError};
pub use fault::Fault;
pub use panic::PanicError;
pub use phase::Phase;

/// Why a call has no result.
///
/// The variants tell who is to blame and what became of the worker; in every case the pool is ready for the next
/// call.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{Error, run_sync};
///
/// match run_sync(|n: u32| 1 / n, 0).await {
///     Err(Error::Panicked(panic)) => assert!(panic.message().contains("divide by zero")),
///     other => unreachable!("{other:?}"),
/// }
/// match run_sync(|code: i32| -> () { std::process::exit(code) }, 42).await {
///     Err(Error::BrokenWorker(death)) => assert_eq!(death.exit_status().unwrap().code(), Some(42)),
///     other => unreachable!("{other:?}"),
/// }
/// # });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The function panicked. The worker lives on (under `panic = "abort"` it is replaced).
    Panicked(PanicError),
    /// The worker process died before it answered. It is replaced on the next call.
    BrokenWorker(BrokenWorkerError),
    /// An argument or a result could not be serialised, or is larger than the frame limit. The worker lives on.
    Encode(EncodeError),
    /// An argument or a result could not be deserialised. The worker lives on.
    Decode(DecodeError),
    /// The time limit of the call passed; its worker was killed.
    TimedOut,
    /// The job used more CPU time than its limit; its worker was killed.
    CpuTimeExceeded {
        /// What it was allowed.
        limit: Duration,
        /// What it had used when that was seen.
        used: Duration,
    },
    /// The job's process had more memory than the job's limit; it was killed.
    MemoryExceeded {
        /// What it was allowed, in bytes.
        limit: u64,
        /// What it had when that was seen, in bytes.
        used: u64,
    },
    /// A worker could not be started.
    Spawn(io::Error),
    /// The context is closed.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(e) => e.fmt(f),
            Self::BrokenWorker(e) => e.fmt(f),
            Self::Encode(e) => e.fmt(f),
            Self::Decode(e) => e.fmt(f),
            Self::TimedOut => f.write_str("the call passed its time limit and its worker was killed"),
            Self::CpuTimeExceeded { limit, used } => {
                write!(f, "the job used {used:?} of CPU time, its limit was {limit:?}, and its worker was killed")
            }
            Self::MemoryExceeded { limit, used } => write!(
                f,
                "the job's worker had {used} bytes of resident memory, the limit was {limit}, and it was killed"
            ),
            Self::Spawn(e) => write!(f, "a worker could not be started: {e}"),
            Self::Closed => f.write_str("the worker context is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Spawn(e) => Some(e),
            // The others print themselves whole; naming them here too would print everything twice.
            _ => None,
        }
    }
}

impl From<PanicError> for Error {
    fn from(error: PanicError) -> Self {
        Self::Panicked(error)
    }
}

impl From<BrokenWorkerError> for Error {
    fn from(error: BrokenWorkerError) -> Self {
        Self::BrokenWorker(error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

const _: () = {
    const fn assert_error<T: std::error::Error + Send + Sync + 'static>() {}
    assert_error::<Error>();
    assert_error::<PanicError>();
    assert_error::<BrokenWorkerError>();
    assert_error::<EncodeError>();
    assert_error::<DecodeError>();
};

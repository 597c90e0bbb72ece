//! The error of a call.

use super::broken::BrokenWorkerError;
use super::bytes::Bytes;
use super::codec::{DecodeError, EncodeError};
use super::config::ConfigError;
use super::panic::PanicError;
use super::state::StateError;
use super::station::Station;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use std::{fmt, io};

/// Why a call has no result.
///
/// The variants say what happened, and what became of the worker. In every case the next call works.
///
/// It is `Serialize` and `Deserialize`, so that a job which makes calls of its own can return it: what it prints, its
/// variant and its methods are the same in the caller. An [`io::Error`] keeps its code or its kind, and its causes what
/// they print.
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
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The function panicked. The worker lives on (under `panic = "abort"` it is replaced).
    Panicked(PanicError),
    /// The worker process died before it answered. It is replaced on the next call.
    BrokenWorker(BrokenWorkerError),
    /// An argument or a result could not be serialised, or is larger than `max_message_size`. The worker lives on.
    Encode(EncodeError),
    /// An argument or a result could not be deserialised. The worker lives on.
    Decode(DecodeError),
    /// The time limit of the call passed; its worker was killed.
    TimedOut,
    /// The job used more CPU time than its limit; its worker was killed.
    CpuTimeExceeded {
        /// The job's limit.
        limit: Duration,
        /// What it had used when the caller measured it.
        used: Duration,
    },
    /// The job's process had more memory than the job's limit; it was killed.
    MemoryExceeded {
        /// The job's limit, in bytes.
        limit: u64,
        /// What it had when the caller measured it, in bytes.
        used: u64,
    },
    /// The [deadline](https://docs.rs/offproc/latest/offproc/struct.RunSync.html#method.deadline) of the call passed,
    /// or its [timeout](https://docs.rs/offproc/latest/offproc/struct.RunSync.html#method.timeout), while it was there.
    /// If its job had begun, its worker was killed.
    DeadlineExceeded(Station),
    /// As many calls of the context wait for a token as its
    /// [`max_queue`](https://docs.rs/offproc/latest/offproc/struct.WorkerContextBuilder.html#method.max_queue) allows.
    /// Nothing was started for this call.
    Overloaded,
    /// A call of [`run_with`](https://docs.rs/offproc/latest/offproc/fn.run_with.html) and its context do not have the
    /// same type of state. The caller finds that: nothing was started for this call.
    State(StateError),
    /// A worker could not be started. The [`io::Error`] says why, in words.
    Spawn(#[serde(with = "super::io_error")] io::Error),
    /// The context is closed.
    Closed,
}

impl Error {
    /// True for [`TimedOut`](Self::TimedOut) and [`DeadlineExceeded`](Self::DeadlineExceeded).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.station().is_some()
    }

    /// Where the call was when its time was over; `None` for an error that is no [timeout](Self::is_timeout).
    /// [`TimedOut`](Self::TimedOut) is always [`Running`](Station::Running).
    #[must_use]
    pub fn station(&self) -> Option<Station> {
        match self {
            Self::TimedOut => Some(Station::Running),
            Self::DeadlineExceeded(station) => Some(*station),
            _ => None,
        }
    }

    /// True for [`Overloaded`](Self::Overloaded).
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        matches!(self, Self::Overloaded)
    }

    /// True for [`BrokenWorker`](Self::BrokenWorker): the worker died, and offproc did not kill it, for a limit or
    /// otherwise.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::BrokenWorker(_))
    }

    /// True for [`Panicked`](Self::Panicked).
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }
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
                write!(f, "the job used {used:.2?} of CPU time, its limit was {limit:?}, and its worker was killed")
            }
            Self::MemoryExceeded { limit, used } => write!(
                f,
                "the job's worker had {} of resident memory, its limit was {}, and it was killed",
                Bytes(*used),
                Bytes(*limit)
            ),
            Self::DeadlineExceeded(Station::Queued) => f.write_str("the call passed its deadline while it was queued"),
            Self::DeadlineExceeded(Station::Starting) => {
                f.write_str("the call passed its deadline while its worker was starting")
            }
            Self::DeadlineExceeded(Station::Running) => {
                f.write_str("the call passed its deadline while its job was running, and its worker was killed")
            }
            Self::Overloaded => f.write_str(
                "as many calls wait for a token as the context's `max_queue` allows; try again later, or do without",
            ),
            Self::State(e) => e.fmt(f),
            Self::Spawn(e) => write!(f, "a worker could not be started: {e}"),
            Self::Closed => f.write_str("the worker context is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Display` prints the cause already; a report of the whole chain would print it twice.
            Self::Spawn(e) => e.source(),
            Self::BrokenWorker(e) => e.source(),
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

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        Self::State(error)
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
    assert_error::<ConfigError>();
    assert_error::<EncodeError>();
    assert_error::<DecodeError>();
    assert_error::<StateError>();
};

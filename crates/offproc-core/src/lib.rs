//! The core of [offproc](https://docs.rs/offproc): worker processes, the wire to them, and their certain end.
//!
//! Programs depend on `offproc`; this crate is what its pool and its runtime adapters are built on.
//!
//! The folders say which process a line runs in: `parent/`, `worker/`, and `wire/` for what both share; `sys/` is the
//! operating system. `docs/architecture.md` in the repository has the whole picture.
#![deny(unsafe_code)]

#[cfg(not(any(target_os = "linux", target_os = "android")))]
compile_error!("offproc runs on Linux so far; docs/platforms.md in its repository tells what other systems still need");

mod error;
mod fd;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod parent;
mod shared_bytes;
mod sync;
mod sys;
mod wire;
mod worker;

pub use error::{BrokenWorkerError, DecodeError, EncodeError, Error, Fault, PanicError, Phase};
pub use fd::Fd;
pub use parent::keeper::entrust;
pub use parent::launcher::Launcher;
pub use parent::runtime::{BoxFuture, Fallback, Host, Runtime, RuntimeId, Watch, watch_with_async_io};
pub use parent::settings::{Settings, Transport};
pub use parent::worker::{Outcome, Verdict, Worker, WorkerProcess};
pub use parent::worker_type::WorkerType;
pub use shared_bytes::SharedBytes;
pub use sys::descriptors::Descriptor;
pub use wire::hello::{Resource, Signals};
pub use wire::message::{Answer, SoftLimits};
pub use worker::stop::should_stop;

/// Serves and exits in a worker process; returns in any other.
///
/// The first line of `main`, where the feature `auto-init` is off: whatever comes before it runs in each worker, too. A
/// program that does not call it cannot start workers: its calls get [`Error::Spawn`]. With `auto-init`, and when it is
/// called again, it does nothing.
///
/// # Examples
///
/// ```no_run
/// offproc::init();
/// // … and then everything else.
/// ```
pub fn init() {
    worker::entry::enter(|| {});
}

/// True in a fork of a process that has, or had, workers. They are not its own, and it can have none.
#[must_use]
pub fn is_forked() -> bool {
    sys::fork::is_forked()
}

/// Waits until what workers have written to stderr has come out, where it goes through this process; until the deadline
/// at most. For the end of the program.
pub fn settle_stderr(deadline: std::time::Instant) {
    parent::tee::settle(deadline);
}

/// Runs `hook` at the orderly end of the program.
pub fn at_exit(hook: fn()) {
    sys::at_exit::register(hook);
}

//! What the tests of offproc share: the matrix they run over, the check that they leave nothing behind, and ways for
//! a test and a job to wait for each other.
//!
//! Each test of the matrix is a plain `async fn(Case)`, written once; [`matrix!`] makes it a test for each runtime and
//! each kind of worker. It runs in a process of its own, so that the check for leaks at its end is exact: see
//! [`isolate`].
//!
//! A closure that captures is refused by the compiler, as it could not travel:
//!
//! ```compile_fail,E0308
//! let two = 2;
//! let _ = offproc::run_sync(|n: u32| n * two, 1);
//! ```
//!
//! One that captures nothing is a plain function:
//!
//! ```
//! let _ = offproc::run_sync(|n: u32| n * 2, 1).kill_on_cancel(true);
//! ```

pub mod captured;
pub mod case;
pub mod executor;
#[cfg(unix)]
pub mod hostile;
#[cfg_attr(windows, path = "windows/isolate.rs")]
pub mod isolate;
pub mod job;
pub mod leak;
mod matrix;
pub mod portable;
#[cfg_attr(windows, path = "windows/process.rs")]
pub mod process;
pub mod recorder;
#[cfg(unix)]
pub mod refusal;
#[cfg_attr(windows, path = "windows/rendezvous.rs")]
pub mod rendezvous;
pub mod scratch;
pub mod spans;
pub mod untransferable;
pub mod waiting;
#[cfg(windows)]
pub mod windows;

pub use case::{Case, WorkerKind};
pub use executor::Executor;

//! The core of [offproc](https://docs.rs/offproc): worker processes, the channels to them, and how they are killed and
//! reaped.
//!
//! Programs depend on `offproc`; its pool and its runtime adapters are built on this crate.
//!
//! The folders say which process a line runs in: `parent/`, `worker/`, and `job/`, `settings/` and `wire/` for what
//! both share; `sys/` is the operating system. `docs/architecture/` in the repository has the whole picture.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without forks and signals, what is there for them is not used.
#![cfg_attr(windows, allow(dead_code))]

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd", windows)))]
compile_error!(
    "offproc does not build for this system: its docs/platforms.md says for which it does, and what a port needs"
);

mod error;
#[cfg(offproc_fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod items;
mod job;
mod parent;
mod role;
mod settings;
mod sorted_map;
mod sync;
mod sys;
mod wait_list;
mod wire;
mod worker;

pub use error::{
    BrokenWorkerError, ConfigError, DecodeError, EncodeError, Error, Fault, JobError, PanicError, Phase, StateError,
    Station,
};
pub use job::fd::Fd;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use job::json::Json;
pub use job::shared_bytes::SharedBytes;
#[cfg(feature = "bytemuck")]
#[cfg_attr(docsrs, doc(cfg(feature = "bytemuck")))]
pub use job::shared_slice::{Element, SharedSlice};
pub use job::transfer::Transfer;
pub use parent::runtime::{AsyncIo, Runtime};
pub use parent::worker_type::WorkerType;
pub use settings::{resource::Resource, signals::Signals, transport::Transport};
pub use worker::index::worker_index;
pub use worker::stop::should_stop;

// What `offproc-pool` and the runtime adapters are built on. It is not part of the interface: no promise of semantic
// versioning holds for it, and each of these crates depends on exactly one version of this one.
#[doc(hidden)]
pub use error::CallOutcome;
#[doc(hidden)]
pub use items::{
    channel::{decode_item, encode_item, give_buffer, item_channel, take_buffer},
    receiver::{ItemReceived, ItemReceiver},
    sender::{ItemSender, ItemSent, SendTicket},
    small::SmallItem,
};
#[doc(hidden)]
pub use job::chunk::{ChunkAnswer, ChunkBounds, ChunkOutcome};
#[doc(hidden)]
pub use job::trampoline::chunk::{ChunkCode, ItemFunction};
#[doc(hidden)]
pub use job::{
    encoded::EncodedArgument,
    function::{Function, JobFunction},
    limits::SoftLimits,
    message::Answer,
    state::StateType,
};
#[doc(hidden)]
pub use parent::background::{ensure as ensure_background, is_background_thread, spawn_background};
#[doc(hidden)]
pub use parent::channel::event::RetireDecision;
#[doc(hidden)]
pub use parent::launch::launcher::{Launcher, on_another_thread};
#[doc(hidden)]
pub use parent::logs::open_pipes::settle as settle_logs;
#[doc(hidden)]
pub use parent::process::exit::{ExitKind, WorkerExit};
#[doc(hidden)]
pub use parent::process::handle::WorkerProcess;
#[doc(hidden)]
pub use parent::runtime::{
    BoxFuture, ClockHold, PollSource, Readiness, RuntimeId, RuntimeSelector, watch_with_async_io,
};
#[doc(hidden)]
pub use parent::worker::{Outcome, Worker};
#[doc(hidden)]
pub use parent::{timer::Sleep, wait::wait};
#[doc(hidden)]
pub use settings::Settings;
#[doc(hidden)]
pub use settings::log_forwarding::{LogForwarder, LogForwarding, LogHooks, LogSink};
#[doc(hidden)]
pub use settings::state_maker::StateMaker;
#[doc(hidden)]
pub use sys::stderr::warn;
#[doc(hidden)]
pub use wait_list::{WaitList, wake, wake_all};
#[doc(hidden)]
pub use wire::link::{HardLimits, Overuse};
#[doc(hidden)]
pub use wire::log::MAX_LOG_RECORD;
#[doc(hidden)]
pub use worker::log_writer::{log_level, write_log};

/// Serves and exits in a worker process; returns in any other.
///
/// The first line of `main`, where the feature `auto-init` is off: whatever comes before it runs in each worker, too. A
/// program that does not call it cannot start workers: its calls get [`Error::Spawn`]. With `auto-init`, and when it is
/// called again, it does nothing.
///
/// It also does nothing in a shared library, such as a plug-in or an extension module: the program that has loaded that
/// cannot be a worker of it, and calls get [`Error::Spawn`].
///
/// # Examples
///
/// ```no_run
/// offproc::init();
/// // … and then everything else.
/// ```
pub fn init() {
    worker::entry::enter(&mut || {});
}

/// Serves as a worker on stdin and stdout, and never returns: for a program that its own command line says to be a
/// worker of [`WorkerType::command`].
///
/// Call it before the program starts threads or prints anything. **Nothing else makes a program such a worker**, no
/// variable and no other way of starting it: one that does not call this, or calls it only where its arguments say so,
/// can be behind an ssh key with a forced command, a `sudo` rule or a web server. Who can write to the stdin of a
/// worker can have it do anything.
///
/// The job's own stdout goes to stderr, and its stdin is empty. The process ends when the program is gone, busy or not;
/// without a program at its stdin it prints why, and exits with code 78. A set-uid program never serves.
///
/// # Examples
///
/// ```
/// if std::env::args().any(|argument| argument == "--worker") {
///     offproc::serve();
/// }
/// // … the program.
/// ```
pub fn serve() -> ! {
    worker::link::serve::serve()
}

/// Whether this process is a worker, or a fork server of workers: for set-up that programs and workers share.
///
/// True in `preload`, `init`, `sandbox`, `retire` and jobs, and in constructors of other crates, except those that run
/// before offproc's own.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), offproc::Error> {
/// use offproc::{is_worker, run_sync};
///
/// assert!(!is_worker());
/// assert!(run_sync(|()| is_worker(), ()).wait()?);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn is_worker() -> bool {
    role::depth() > 0
}

/// True in a fork of a process that has, or had, workers. The fork does not own them, and cannot have workers.
#[must_use]
#[inline]
#[doc(hidden)]
pub fn is_forked() -> bool {
    sys::fork::is_forked()
}

/// At the end of the program: waits, until the deadline at most, until this process has copied all that workers have
/// written to stderr, where it goes through this process.
#[doc(hidden)]
pub fn settle_stderr(deadline: std::time::Instant) {
    parent::process::stderr_tee::settle(deadline);
}

/// A future that is ready after this time, by the wall clock and whatever becomes of the caller's runtime; never, where
/// the clock does not go that far. The background thread rings it.
#[doc(hidden)]
pub fn sleep(duration: std::time::Duration) -> Sleep {
    parent::timer::sleep(duration)
}

/// The path of a function, as [`BrokenWorkerError::function`] has it, by its address.
#[must_use]
#[doc(hidden)]
pub fn function_name(address: usize) -> Option<&'static str> {
    sys::image::Image::current().offset_of(address).and_then(sys::symbols::name_at)
}

/// Runs `hook` at the orderly end of the program.
#[doc(hidden)]
pub fn at_exit(hook: fn()) {
    sys::at_exit::register(hook);
}

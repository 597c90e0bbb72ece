//! The role of this process: a program, one of its workers, or a worker of those.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// The exit code of a process that has the marker but is not a worker, and of a worker whose parent violated the
/// protocol.
pub(crate) const EXIT_REFUSED: i32 = 78;

static INITIALISED: AtomicBool = AtomicBool::new(false);
static DEPTH: AtomicU32 = AtomicU32::new(0);
static MAX_MESSAGE_SIZE: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Records that this code has run in the program, so that it will run in workers, too. False if that was recorded
/// before.
pub(crate) fn initialise() -> bool {
    !INITIALISED.swap(true, Ordering::Relaxed)
}

/// True after [`initialise`].
pub(crate) fn is_initialised() -> bool {
    INITIALISED.load(Ordering::Relaxed)
}

/// 0 in the program, 1 in its workers, 2 in theirs.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::Relaxed)
}

pub(crate) fn set_depth(depth: u32) {
    DEPTH.store(depth, Ordering::Relaxed);
}

/// That of the context that this worker belongs to.
pub(crate) fn max_message_size() -> usize {
    MAX_MESSAGE_SIZE.load(Ordering::Relaxed)
}

pub(crate) fn set_max_message_size(bytes: usize) {
    MAX_MESSAGE_SIZE.store(bytes, Ordering::Relaxed);
}

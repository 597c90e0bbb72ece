//! The way into a worker: who becomes one, and who is refused.

use super::serve;
use crate::sys::{descriptors, environment, peer, signals, usage};
use crate::wire::hello::MARKER;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The exit code of a process that was marked as a worker but is not one, and of a worker that lost its parent's
/// language.
pub(crate) const REFUSED: i32 = 78;

static INITIALISED: AtomicBool = AtomicBool::new(false);
static DEPTH: AtomicU32 = AtomicU32::new(0);

/// True once the program has shown that its workers would find the way here.
pub(crate) fn is_initialised() -> bool {
    INITIALISED.load(Ordering::Relaxed)
}

/// 0 in the program, 1 in its workers, 2 in theirs.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::Relaxed)
}

pub(super) fn set_depth(depth: u32) {
    DEPTH.store(depth, Ordering::Relaxed);
}

/// Serves and exits in a worker; returns in any other process. `before` is run in a worker only, before it does
/// anything that code of the program could see.
pub(crate) fn enter(before: impl FnOnce()) {
    if INITIALISED.swap(true, Ordering::Relaxed) {
        return;
    }
    let Some(_marker) = environment::take(MARKER) else { return };
    match claim() {
        Ok(control) => serve::serve(control, usage::largest_resident(), before),
        Err(reason) => {
            eprintln!(
                "offproc: {MARKER} is set, but this process is no worker: {reason}. The variable is offproc's own; \
                 unset it to run the program."
            );
            std::process::exit(REFUSED);
        }
    }
}

/// Serves and exits in a process that was forked for it by one whose kernel-given word is as good as its own.
pub(crate) fn enter_forked(control: OwnedFd) -> ! {
    signals::reset();
    let arranged = descriptors::duplicate_high(&control).and_then(|high| {
        descriptors::restore_standard()?;
        Ok(high)
    });
    drop(control);
    match arranged {
        Ok(control) => serve::serve(control, 0, || {}),
        Err(e) => {
            eprintln!("offproc: the descriptors of a forked worker could not be arranged: {e}");
            crate::sys::fork::exit_at_once(REFUSED)
        }
    }
}

/// Takes the private connection from stdin, if the kernel confirms that it is the parent's.
fn claim() -> Result<OwnedFd, String> {
    if environment::is_privileged_start() {
        return Err("a set-uid or otherwise privileged program never becomes one".to_owned());
    }
    let stdin = rustix::stdio::stdin();
    peer::must_be_parent(stdin)?;
    // Nothing may go wrong for a Ctrl+C from here on.
    signals::reset();
    let take_over = || -> io::Result<OwnedFd> {
        let control = descriptors::duplicate_high(stdin)?;
        descriptors::restore_standard()?;
        Ok(control)
    };
    take_over().map_err(|e| format!("its descriptors could not be arranged ({e})"))
}

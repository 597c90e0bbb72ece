//! tokio's paused clock, for tests. tokio advances it to the next timer whenever a runtime has nothing to do, except
//! while blocking work of its own runs. This makes a call count as such work: else a timeout of an hour would pass
//! while a call takes a millisecond.

use offproc_core::ClockHold;
use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::AbortHandle;

/// Blocking work that ends when this is dropped, or with the runtime.
#[derive(Debug)]
struct Hold(AbortHandle);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Holds the clock of a runtime where that is paused.
pub(crate) fn hold(handle: &Handle) -> Option<ClockHold> {
    if handle.runtime_flavor() != RuntimeFlavor::CurrentThread || !is_paused(handle) {
        return None;
    }
    let (held, released): (Sender<()>, Receiver<()>) = channel();
    // A task owns the other end; a runtime that ends drops its tasks before it waits for blocking work.
    let task = handle.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    handle.spawn_blocking(move || {
        // Nothing is ever sent: this returns when the sender is dropped.
        let _ = released.recv();
    });
    Some(Box::new(Hold(task.abort_handle())))
}

/// A clock that runs shows a time between two readings of the real one.
fn is_paused(handle: &Handle) -> bool {
    let _entered = handle.enter();
    let before = Instant::now();
    let shown = tokio::time::Instant::now().into_std();
    shown < before || shown > Instant::now()
}

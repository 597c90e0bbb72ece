//! Which wakers belong to tokio's own tasks, or to a `block_on` that drives its runtime. A thread that such a waker
//! wakes goes back to the reactor when it has nothing else to do. Any other thread may block the very threads that run
//! the reactor: also one in `Handle::block_on`, or in a `block_on` on a runtime with threads of its own.

use std::future::{Future, poll_fn};
use std::sync::{Once, OnceLock};
use std::task::{Poll, RawWakerVTable, Waker};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

static KNOWN: OnceLock<Known> = OnceLock::new();

/// The vtables of the wakers of each kind, by which they are recognised.
#[derive(Debug)]
struct Known {
    task: &'static RawWakerVTable,
    /// Of `block_on` on a runtime that runs on the calling thread.
    driving: &'static RawWakerVTable,
}

/// Learns them on the background thread, in a runtime made for that; until then no waker is recognised.
pub(crate) fn learn() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        offproc_core::spawn_background(async {
            let Ok(runtime) = Builder::new_current_thread().build() else { return };
            let Ok(task) = runtime.block_on(runtime.spawn(vtable())) else { return };
            let _ = KNOWN.set(Known { task, driving: runtime.block_on(vtable()) });
        });
    });
}

/// The vtable of the waker that polls this.
fn vtable() -> impl Future<Output = &'static RawWakerVTable> + Send {
    poll_fn(|cx| Poll::Ready(cx.waker().vtable()))
}

/// Whether the thread that this waker wakes drives the runtime, which is current there, while it waits.
pub(crate) fn are_of(handle: &Handle, waker: &Waker) -> bool {
    let Some(known) = KNOWN.get() else { return false };
    let vtable = waker.vtable();
    vtable == known.task || (handle.runtime_flavor() == RuntimeFlavor::CurrentThread && vtable == known.driving)
}

//! The memory behind [`SharedBytes`](super::shared_bytes::SharedBytes): sealed, counted, and known by an id.

use crate::error::about;
use crate::sys::sealed::Sealed;
use crate::sys::shared_memory::Words;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One buffer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedBuffer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    memory: Sealed,
    // The shared memory of the workers that have it mapped; when this is dropped, they unmap it.
    holders: Mutex<Vec<Weak<Words>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let holders = std::mem::take(self.holders.get_mut().unwrap_or_else(PoisonError::into_inner));
        holders.iter().filter_map(Weak::upgrade).for_each(|words| words.forget(self.id));
    }
}

/// A buffer that this handle does not keep alive.
#[derive(Debug)]
pub(super) struct WeakBuffer(Weak<Inner>);

impl WeakBuffer {
    /// True while this process has the buffer.
    pub(super) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl SharedBuffer {
    pub(crate) fn new(memory: Sealed) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Inner { id: LAST.fetch_add(1, Ordering::Relaxed) + 1, memory, holders: Mutex::default() }))
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn memory(&self) -> &Sealed {
        &self.0.memory
    }

    pub(super) fn downgrade(&self) -> WeakBuffer {
        WeakBuffer(Arc::downgrade(&self.0))
    }

    /// Records that a worker has it mapped.
    pub(crate) fn is_held_by(&self, worker: &Arc<Words>) {
        let mut holders = self.0.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|holder| holder.strong_count() > 0);
        let worker = Arc::downgrade(worker);
        if !holders.iter().any(|holder| holder.ptr_eq(&worker)) {
            holders.push(worker);
        }
    }

    /// True when both are the same memory.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The error for a buffer of `length` bytes that could not be mapped.
pub(super) fn not_mapped(length: usize, e: io::Error) -> io::Error {
    match e.kind() {
        io::ErrorKind::OutOfMemory => {
            about(format_args!("there is no memory for a shared buffer of {length} bytes"), e)
        }
        _ => about(format_args!("a shared buffer of {length} bytes could not be mapped"), e),
    }
}

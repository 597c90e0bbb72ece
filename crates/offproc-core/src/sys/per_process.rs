//! Global state of one process: a fork begins with a state of its own.

use super::fork::generation;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A fork may come while another thread, which it does not have, holds the lock. So it uses the next lock.
const LOCKS: usize = 4;

/// A value of this process.
pub(crate) struct PerProcess<T>([Mutex<Slot<T>>; LOCKS]);

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self([const { Mutex::new(Slot { generation: 0, value: None }) }; LOCKS])
    }

    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let generation = generation();
        let lock = &self.0[generation as usize % LOCKS];
        let mut slot = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.generation != generation {
            // What it was for is not in this process: descriptors that are closed, wakers of tasks that are not here.
            std::mem::forget(slot.value.take());
            slot.generation = generation;
        }
        slot.value.get_or_insert_default();
        Locked(slot)
    }
}

/// The value, locked.
pub(crate) struct Locked<'a, T>(MutexGuard<'a, Slot<T>>);

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.value.as_ref().unwrap_or_else(|| unreachable!("it is there while it is locked"))
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.value.as_mut().unwrap_or_else(|| unreachable!("it is there while it is locked"))
    }
}

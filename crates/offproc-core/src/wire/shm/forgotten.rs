//! Buffers that a worker is to unmap, as the program has dropped them: an array in shared memory that any thread of the
//! parent writes to, and the worker empties.

use std::sync::atomic::{AtomicU64, Ordering};

/// The ids of the buffers; 0 is none. All zeroes at first.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Forgotten([AtomicU64; Self::MOST]);

impl Forgotten {
    /// As many as a worker can have mapped, and far fewer than the word `seq` can count reminders, so that the count
    /// cannot wrap around unnoticed.
    const MOST: usize = 192;

    /// The parent's side. False if there is no room: then the list goes with the worker's next job.
    pub(crate) fn put(&self, buffer: u64) -> bool {
        self.0.iter().any(|place| place.compare_exchange(0, buffer, Ordering::Release, Ordering::Relaxed).is_ok())
    }

    /// The worker's side.
    pub(crate) fn take(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|place| place.swap(0, Ordering::Acquire)).filter(|buffer| *buffer != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken_once() {
        let forgotten = Forgotten([const { AtomicU64::new(0) }; Forgotten::MOST]);
        assert!((1..=Forgotten::MOST as u64).all(|buffer| forgotten.put(buffer)));
        assert!(!forgotten.put(1000), "no room");
        assert_eq!(forgotten.take().collect::<Vec<_>>(), (1..=Forgotten::MOST as u64).collect::<Vec<_>>());
        assert_eq!(forgotten.take().count(), 0);
        assert!(forgotten.put(1000));
        assert_eq!(forgotten.take().collect::<Vec<_>>(), [1000]);
    }
}

//! Puts attachments into a thread-local while a message is written or read, where `Serialize` implementations reach
//! them.

use std::cell::RefCell;
use std::thread::LocalKey;

/// The value of the message that the thread writes or reads, if any.
pub(super) type Current<T> = LocalKey<RefCell<Option<T>>>;

/// Moves a value into a thread-local, and back when dropped, also by a panic.
pub(super) struct RestoreOnDrop<'a, T: Default + 'static> {
    current: &'static Current<T>,
    owner: &'a mut T,
    before: Option<T>,
}

impl<'a, T: Default> RestoreOnDrop<'a, T> {
    #[inline]
    pub(super) fn new(current: &'static Current<T>, owner: &'a mut T) -> Self {
        let before = current.try_with(|current| current.replace(Some(std::mem::take(owner)))).ok().flatten();
        Self { current, owner, before }
    }

    /// What its drop does, called where there was no panic.
    #[inline(always)]
    pub(super) fn end(mut self) {
        self.put_back();
        std::mem::forget(self);
    }

    #[inline(always)]
    fn put_back(&mut self) {
        let before = self.before.take();
        // A thread that ends may have no thread-locals any more: then the value has never left its owner.
        if let Ok(value) = self.current.try_with(|current| current.replace(before)) {
            *self.owner = value.unwrap_or_default();
        }
    }
}

impl<T: Default> Drop for RestoreOnDrop<'_, T> {
    fn drop(&mut self) {
        self.put_back();
    }
}

/// Changes the current attachments, if any; a thread that ends may have no thread-locals any more.
pub(super) fn reach<T, R>(current: &'static Current<T>, change: impl FnOnce(Option<&mut T>) -> R) -> R {
    let mut change = Some(change);
    let changed = current.try_with(|current| change.take().map(|change| change(current.borrow_mut().as_mut())));
    match (changed, change) {
        (Ok(Some(changed)), _) => changed,
        (_, Some(change)) => change(None),
        (_, None) => unreachable!("it was called and has returned"),
    }
}

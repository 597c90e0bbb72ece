//! What went wrong with an attachment, for the case that a format which is packed inside a value drops the words of an
//! error, as postcard does.

use std::cell::RefCell;
use std::io;

thread_local! {
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the reason that was noted for the message being written or read, if there is one.
pub(super) fn take_reason() -> Option<String> {
    REASON.try_with(RefCell::take).ok().flatten()
}

/// Clears it, before a message is written or read.
#[inline]
pub(super) fn forget_reason() {
    let _ = REASON.try_with(|reason| {
        if reason.borrow().is_some() {
            reason.replace(None);
        }
    });
}

/// Records an error.
pub(super) fn note(reason: &str) {
    let _ = REASON.try_with(|noted| noted.replace(Some(reason.to_owned())));
}

/// Records the error of a result, if it is one.
pub(crate) fn noted<T>(result: io::Result<T>) -> io::Result<T> {
    result.inspect_err(|reason| note(&reason.to_string()))
}

//! offproc's own format: postcard's, in which a value can have attachments, which it has in no other format.
//!
//! Within a call, a value may be serialised in another format: into bytes that a `Serialize` packs for itself, and that
//! its counterpart may unpack at any time. So the attachments of the current thread do not show whether a format can
//! carry them; the serialiser has to. A type asks by a newtype struct of this [`NAME`], which all formats pass on:
//! the codec's serializer answers by making [`is_asked`] true for the value in it, its deserializer by calling
//! `visit_some`; in other formats it is an ordinary newtype struct.

use std::cell::Cell;

/// The name by which a type asks.
pub(crate) const NAME: &str = "offproc::own";

thread_local! {
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

/// True once, for the value in a newtype struct of this [`NAME`], if it is written in offproc's own format.
pub(crate) fn is_asked() -> bool {
    IS_ASKED.take()
}

/// Writes the content of a newtype struct in offproc's own format.
pub(super) fn answer<T>(name: &str, write: impl FnOnce() -> T) -> T {
    if name != NAME {
        return write();
    }
    IS_ASKED.set(true);
    let written = write();
    IS_ASKED.set(false);
    written
}

//! Whether the system has killed a process as memory was short: it does not say.

/// A count that the system does not keep.
#[derive(Debug)]
pub(crate) struct Before(());

impl Before {
    pub(crate) fn now() -> Option<Self> {
        None
    }

    pub(crate) fn has_killed_since(&self) -> Option<bool> {
        let Self(()) = self;
        None
    }
}

/// Has no effect.
pub(crate) fn prefer(_thousandths: u16) {}

//! The system has no killer of processes when memory is short: allocations fail.

/// Nothing to count.
#[derive(Debug)]
pub(crate) struct Before(());

impl Before {
    pub(crate) fn now() -> Option<Self> {
        Some(Self(()))
    }

    /// Nothing has.
    #[expect(clippy::unnecessary_wraps, reason = "other systems may not know")]
    pub(crate) fn has_killed_since(&self) -> Option<bool> {
        let Self(()) = self;
        Some(false)
    }
}

/// Has no effect.
pub(crate) fn prefer(_thousandths: u16) {}

//! The operating system, as `sys` of `offproc-core` has it.

pub(crate) mod shared_memory;

pub(crate) mod cpu {
    pub(crate) fn current() -> u32 {
        0
    }
}

pub(crate) mod fork_registry {
    #[derive(Debug)]
    pub(crate) struct TrackedFd;

    #[derive(Debug)]
    pub(crate) struct WeakFd;

    impl WeakFd {
        pub(crate) fn end(&self) -> Option<()> {
            None
        }
    }
}

pub(crate) mod fork {
    pub(crate) fn end_if_copy() {}
}

pub(crate) mod gifts {
    pub(crate) type Gift = std::os::fd::OwnedFd;
}

pub(crate) mod socket {
    use std::io;

    pub(crate) enum Unsent {
        Full,
        Gone,
        Refused(io::ErrorKind),
    }

    impl Unsent {
        pub(crate) const NO_MEMORY: Self = Self::Refused(io::ErrorKind::OutOfMemory);
    }
}

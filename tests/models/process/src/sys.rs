//! The operating system, as `sys` of `offproc-core` has it.

#[path = "../../../../crates/offproc-core/src/sys/child.rs"]
pub(crate) mod child;
#[path = "../../../../crates/offproc-core/src/sys/reap.rs"]
pub(crate) mod reap;
#[path = "../../../../crates/offproc-core/src/sys/status/signals.rs"]
pub(crate) mod status;

pub(crate) mod limits {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Limited {}
}

pub(crate) mod fork {
    pub(crate) fn is_forked() -> bool {
        false
    }
}

pub(crate) mod lifeline {
    #[derive(Debug)]
    pub(crate) struct Cutter;

    impl Cutter {
        pub(crate) fn cut(&self) {}
    }
}

pub(crate) mod process {
    pub(crate) use crate::parent::process::fake::FakeProcess as ProcessHandle;
}

//! The end of a worker's process, as `offproc-core` has it.

#[path = "../../../../../crates/offproc-core/src/parent/process/exit.rs"]
pub(crate) mod exit;
#[path = "../../../../../crates/offproc-core/src/parent/process/exit_policy.rs"]
mod exit_policy;
#[path = "../../../../../crates/offproc-core/src/parent/process/fake.rs"]
pub(crate) mod fake;
#[path = "../../../../../crates/offproc-core/src/parent/process/races.rs"]
mod races;
#[path = "../../../../../crates/offproc-core/src/parent/process/remote.rs"]
pub(crate) mod remote;
#[path = "../../../../../crates/offproc-core/src/parent/process/state.rs"]
mod state;
#[path = "../../../../../crates/offproc-core/src/parent/process/supervised.rs"]
mod supervised;
#[path = "../../../../../crates/offproc-core/src/parent/process/supervision.rs"]
mod supervision;

/// Nothing is collected here.
mod diagnostics {
    use crate::error::exit_info::ExitInfo;

    #[derive(Debug)]
    pub(crate) struct ExitDiagnostics;

    impl ExitDiagnostics {
        pub(crate) fn complete(&self, _pid: u32, _our: bool, _exit: &mut ExitInfo) {}
    }
}

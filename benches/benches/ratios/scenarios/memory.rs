//! What an idle worker costs in memory.

use super::Outcome;
use super::programs::Idle;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::procfs;

const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn run(_: &Options, output: &mut Output) -> Outcome {
    let idle = Idle::start(1)?;
    let memory = procfs::memory(idle.workers[0])?;
    let from = format!(
        "{:.2} MiB of it written to; {:.2} MiB with its part of what is shared",
        memory.private_dirty as f64 / MIB,
        memory.proportional as f64 / MIB
    );
    let most = Bar::AtMost(1.5);
    output.figure("private memory of an idle worker", memory.private as f64 / MIB, "MiB", most, from);
    Ok(())
}

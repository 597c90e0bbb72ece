//! Heap allocations that a warm call makes in the caller.

use super::{Outcome, programs};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use std::process::Command;

pub(super) fn run(_: &Options, output: &mut Output) -> Outcome {
    const CALLS: u32 = 5000;
    let counted = Command::new(programs::ALLOCATIONS).arg(CALLS.to_string()).output()?;
    let allocations: f64 = String::from_utf8(counted.stdout)?.trim().parse()?;
    let from = format!("{allocations} in {CALLS} calls");
    output.figure("heap allocations a warm call", allocations / f64::from(CALLS), "", Bar::AtMost(2.0), from);
    Ok(())
}

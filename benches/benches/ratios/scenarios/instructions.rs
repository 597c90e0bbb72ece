//! Instructions that a warm call takes in the caller.

use super::{Outcome, programs};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use std::process::Command;

pub(super) fn run(_: &Options, output: &mut Output) -> Outcome {
    let counted = Command::new(programs::INSTRUCTIONS).output()?;
    if !counted.status.success() {
        println!("  this system does not let them be counted: not measured");
        return Ok(());
    }
    let count: f64 = String::from_utf8(counted.stdout)?.trim().parse()?;
    output.figure("instructions a warm call, in the caller", count, "", Bar::None, String::new());
    Ok(())
}

//! What an idle program and its idle workers do: nothing.

use super::Outcome;
use super::programs::Idle;
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::procfs;
use std::time::Duration;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let over = Duration::from_secs(options.pick(2, 10));
    let idle = Idle::start(2)?;
    // After the calls, spins end, and threads find that there is nothing to do.
    std::thread::sleep(Duration::from_millis(500));
    let count = || -> std::io::Result<(u64, u64)> {
        let workers = idle.workers.iter().map(|pid| procfs::switches(*pid)).sum::<std::io::Result<u64>>()?;
        Ok((procfs::switches(idle.parent())?, workers))
    };
    let before = count()?;
    std::thread::sleep(over);
    let after = count()?;
    // A thread that ends takes its count with it.
    let (parent, workers) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    let name = format!("wake-ups of an idle parent and two workers over {} s", over.as_secs());
    let from = format!("{parent} in the parent, {workers} in the workers");
    output.figure(name, (parent + workers) as f64, "", Bar::AtMost(0.0), from);
    Ok(())
}

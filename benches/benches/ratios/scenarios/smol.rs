//! One call to a warm worker and back under smol, beside its own thread pool.

use super::Outcome;
use super::latency::{Latencies, Setting};
use crate::figure::Bar::{AtMost, None};
use crate::interleave::Rhythm;
use crate::load::Load;
use crate::options::Options;
use crate::output::Output;
use crate::peers::pools::{self, name};
use std::convert::Infallible;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rhythm = Rhythm::steady(options.pick(20, 250));
    for load in Load::BOTH {
        let ways = vec![pools::offproc(), pools::unblock()];
        let setting = Setting { case: "warm", runtime: "smol".to_owned(), load };
        let on_smol = |ways| Ok::<_, Infallible>(::smol::block_on(ways));
        let measured = Latencies::measure(setting, ways, rhythm, on_smol, output)?;
        let p50 = if load == Load::Quiet { 0.15 } else { 0.7 };
        measured.ratio(name::UNBLOCK, 0.5, AtMost(p50), output);
        measured.ratio(name::UNBLOCK, 0.99, None, output);
    }
    Ok(())
}

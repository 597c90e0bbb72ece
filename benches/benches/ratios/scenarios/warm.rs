//! One call to a warm worker and back, in every way, on a quiet and on a loaded machine.

use super::Outcome;
use super::latency::{Latencies, Setting};
use crate::figure::Bar::{AtLeast, AtMost};
use crate::interleave::Rhythm;
use crate::load::Load;
use crate::options::Options;
use crate::output::Output;
use crate::peers::pools::{self, name};
use crate::runtimes::Tokio;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rhythm = Rhythm::steady(options.pick(20, 250));
    for load in Load::BOTH {
        for runtime in Tokio::BOTH {
            let ways = vec![
                pools::offproc(),
                pools::stream(),
                pools::spawn_blocking(),
                pools::rayon(),
                pools::procspawn()?,
                pools::socket()?,
                pools::futex()?,
                pools::spinning()?,
            ];
            let setting = Setting { case: "warm", runtime: runtime.to_string(), load };
            let measured = Latencies::measure(setting, ways, rhythm, |ways| runtime.run(512, ways), output)?;
            let (p50, p99, procspawn) = match load {
                Load::Quiet => (0.1, 0.5, 30.0),
                Load::Loaded => (1.0, 1.0, 6.0),
            };
            measured.ratio(name::SPAWN_BLOCKING, 0.5, AtMost(p50), output);
            measured.ratio(name::SPAWN_BLOCKING, 0.99, AtMost(p99), output);
            measured.times_faster(name::PROCSPAWN, AtLeast(procspawn), output);
        }
    }
    Ok(())
}

//! Calls that come now and then: both sides have fallen asleep before each.

use super::Outcome;
use super::latency::{Latencies, Setting};
use crate::figure::Bar;
use crate::interleave::Rhythm;
use crate::load::Load;
use crate::options::Options;
use crate::output::Output;
use crate::peers::pools::{self, name};
use crate::runtimes::Tokio;
use std::time::Duration;

const PAUSE: Duration = Duration::from_micros(300);

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rhythm = Rhythm::paused(options.pick(20, 200), PAUSE);
    for load in Load::BOTH {
        for runtime in Tokio::BOTH {
            let ways = vec![
                pools::offproc(),
                pools::spawn_blocking(),
                pools::rayon(),
                pools::procspawn()?,
                pools::socket()?,
                pools::futex()?,
            ];
            let setting = Setting { case: "paused", runtime: runtime.to_string(), load };
            let measured = Latencies::measure(setting, ways, rhythm, |ways| runtime.run(512, ways), output)?;
            let bar = if load == Load::Quiet { Bar::AtMost(1.0) } else { Bar::None };
            measured.ratio(name::SPAWN_BLOCKING, 0.5, bar, output);
        }
    }
    Ok(())
}

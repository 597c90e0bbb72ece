//! `warm_calls COUNT [PAUSE_US]`: so many warm no-op calls and nothing else, for strace to count.
//!
//! To subtract the cost of start and end, run it with `COUNT` and with twice that.

use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().ok_or("how many calls?")?.parse()?;
    let pause = arguments.next().map(|us| us.parse().map(Duration::from_micros)).transpose()?;
    offproc_bench::one_thread().block_on(offproc_bench::warm_calls(count, pause))?;
    Ok(())
}

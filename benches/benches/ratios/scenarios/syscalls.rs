//! System calls of a warm call, in caller and worker together, when both slept before it.

use super::{Failure, Outcome, programs};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Longer than either side spins, also under a tracer.
const PAUSE_US: u32 = 2000;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("  strace is not installed: not measured");
        return Ok(());
    }
    let calls: u32 = options.pick(200, 1000);
    // What starting and ending takes is in both, and so drops out.
    let (once, twice) = (count(calls)?, count(2 * calls)?);
    let each = |name: &str| {
        let (once, twice) = (once.get(name).unwrap_or(&0), twice.get(name).unwrap_or(&0));
        (*twice as f64 - *once as f64) / f64::from(calls)
    };
    // The pause is ours, not the call's.
    let names = twice.keys().filter(|name| !matches!(name.as_str(), "clock_nanosleep" | "nanosleep"));
    let mut each: Vec<(f64, &str)> =
        names.map(|name| (each(name), name.as_str())).filter(|(n, _)| *n > 0.005).collect();
    each.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total = each.iter().map(|(count, _)| count).sum();
    let from = each.iter().map(|(count, name)| format!("{name} {count:.2}")).collect::<Vec<_>>().join(", ");
    output.figure("system calls a warm call, both sides asleep before", total, "", Bar::AtMost(5.0), from);
    Ok(())
}

/// System calls by name, of the program and its workers.
fn count(calls: u32) -> Result<BTreeMap<String, u64>, Failure> {
    let mut strace = Command::new("strace");
    // Without an option for the columns, which old versions lack; the table is on stderr.
    strace.args(["-f", "-c", "-q", programs::WARM_CALLS]).args([calls.to_string(), PAUSE_US.to_string()]);
    let traced = strace.stdin(Stdio::null()).output()?;
    let table = String::from_utf8_lossy(&traced.stderr).into_owned();
    if !traced.status.success() {
        return Err(format!("strace failed: {table}").into());
    }
    let row = |line: &str| {
        // `% time  seconds  usecs/call  calls  [errors]  syscall`
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [share, _, _, calls, .., name] = fields[..] else { return None };
        share.parse::<f64>().ok()?;
        (name != "total").then(|| Some((name.to_owned(), calls.parse().ok()?)))?
    };
    Ok(table.lines().filter_map(row).collect())
}

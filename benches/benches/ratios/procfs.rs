//! What the kernel says of processes and of the machine.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time that all the threads of a process have had, in nanoseconds.
pub(crate) fn cpu_nanos(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in tasks(pid)? {
        // Exact, unlike the ticks of `stat`.
        let schedstat = fs::read_to_string(task.join("schedstat"))?;
        total += first_number(&schedstat)?;
    }
    Ok(total)
}

/// How often the threads of a process gave up a CPU or lost it: one more each time one of them was woken.
pub(crate) fn switches(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in tasks(pid)? {
        for line in fs::read_to_string(task.join("status"))?.lines() {
            if let Some((name, count)) = line.split_once(':')
                && matches!(name, "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches")
            {
                total += first_number(count)?;
            }
        }
    }
    Ok(total)
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// What only this process has: its end would give it back.
    pub(crate) private: u64,
    /// The part of it that was written to.
    pub(crate) private_dirty: u64,
    /// What is shared counts in parts here, by the number of those that share it.
    pub(crate) proportional: u64,
}

pub(crate) fn memory(pid: u32) -> io::Result<Memory> {
    let mut memory = Memory::default();
    for line in fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?.lines().skip(1) {
        let Some((name, kib)) = line.split_once(':') else { continue };
        let bytes = first_number(kib)? * 1024;
        match name {
            "Private_Clean" => memory.private += bytes,
            "Private_Dirty" => {
                memory.private += bytes;
                memory.private_dirty = bytes;
            }
            "Pss" => memory.proportional = bytes,
            _ => {}
        }
    }
    Ok(memory)
}

/// The share of all CPUs that was in use over some time, during which the caller sleeps.
pub(crate) fn busy_share(over: Duration) -> f64 {
    let (Ok(before), ()) = (cpu_times(), std::thread::sleep(over)) else { return 0.0 };
    let Ok(after) = cpu_times() else { return 0.0 };
    let (idle, all) = (after.0 - before.0, after.1 - before.1);
    if all == 0 { 0.0 } else { 1.0 - idle as f64 / all as f64 }
}

/// Memory that could be had without swapping, in bytes.
pub(crate) fn available_memory() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|kib| first_number(kib).ok()).unwrap_or(0) * 1024
}

/// Idle ticks and all ticks of all CPUs together since the start.
fn cpu_times() -> io::Result<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let times = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let times: Vec<u64> = times.map(|ticks| ticks.parse().unwrap_or(0)).collect();
    Ok((times.get(3..5).map_or(0, |idle| idle.iter().sum()), times.iter().sum()))
}

fn tasks(pid: u32) -> io::Result<Vec<std::path::PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/task"))?.map(|task| Ok(task?.path())).collect()
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text.split_whitespace().next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no number in {text:?}")))
}

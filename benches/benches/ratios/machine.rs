//! The machine that the figures were measured on, without anything that identifies its owner.

use crate::load::cpus;
use crate::options::Options;
use serde_json::{Value, json};
use std::fs;

pub(crate) fn describe(options: &Options) -> Value {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let virtual_machine = field("flags").split(' ').any(|flag| flag == "hypervisor");
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a distribution or a host appended to the version says nothing about speed.
    let kernel = release.trim().split('-').next().unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    json!({
        "cpu": field("model name"), "cpus": cpus(), "virtual": virtual_machine, "kernel": format!("Linux {kernel}"),
        "memory_gib": (kib as f64 / 1024.0 / 1024.0).round(), "rustc": rustc(), "quick": options.quick,
        "offproc": env!("CARGO_PKG_VERSION"),
    })
}

fn rustc() -> String {
    let version = std::process::Command::new("rustc").arg("--version").output().map(|output| output.stdout);
    let version = String::from_utf8(version.unwrap_or_default()).unwrap_or_default();
    version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

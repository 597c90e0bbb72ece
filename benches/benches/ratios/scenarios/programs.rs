//! The small programs that are looked at from outside.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

pub(super) const ALLOCATIONS: &str = env!("CARGO_BIN_EXE_allocations");
pub(super) const INSTRUCTIONS: &str = env!("CARGO_BIN_EXE_instructions");
pub(super) const WARM_CALLS: &str = env!("CARGO_BIN_EXE_warm_calls");

/// A program that has workers and does nothing, until this is dropped.
#[derive(Debug)]
pub(super) struct Idle {
    program: Child,
    pub(super) workers: Vec<u32>,
}

impl Idle {
    pub(super) fn start(workers: usize) -> io::Result<Self> {
        Self::start_with(workers, &[])
    }

    /// The same, with workers that never stop computing.
    pub(super) fn start_busy(workers: usize) -> io::Result<Self> {
        Self::start_with(workers, &["busy"])
    }

    fn start_with(workers: usize, arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minimal"));
        let program =
            command.arg(workers.to_string()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut idle = Self { program, workers: Vec::new() };
        let stdout = idle.program.stdout.take().expect("it was asked for");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        idle.workers = line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        if idle.workers.len() == workers { Ok(idle) } else { Err(io::Error::other("it has not started its workers")) }
    }

    pub(super) fn parent(&self) -> u32 {
        self.program.id()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // Its workers go with it.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

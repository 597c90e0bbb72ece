//! Counts the instructions that the caller's thread executes in a warm no-op call, by stepping through them.
//!
//! `instructions` prints the count. `instructions --profile` also prints the functions they belong to, most first.
//!
//! Nothing is measured, so it does not matter what else the machine does: each run counts the same steps, give or take
//! a few. The thread stands still between two of its steps, so the worker has always answered by the time it looks:
//! this is the way of a call for which nobody has to be woken. Valgrind cannot be used in its place; it knows no
//! pidfd, and takes `/proc/self/exe` for itself.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::process::{Child, Command, Stdio};

/// The argument that makes this program the one that is counted.
const COUNTED: &str = "--counted";
const CALLS: u64 = 20;
const SECTIONS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some(COUNTED) {
        return counted();
    }
    let mut counter = Counter::start()?;
    // What stopping itself takes.
    let empty = counter.section(None)?;
    let mut profile = HashMap::new();
    let wants_profile = argument.as_deref() == Some("--profile");
    let mut least = u64::MAX;
    for section in 0..SECTIONS {
        let keep = (wants_profile && section == 0).then_some(&mut profile);
        least = least.min((counter.section(keep)? - empty) / CALLS);
    }
    println!("{least}");
    if wants_profile {
        counter.print(&profile)?;
    }
    Ok(())
}

/// Makes calls, and stops itself between sections of them for the counter to see where one begins and ends.
fn counted() -> Result<(), Box<dyn Error>> {
    offproc_bench::one_thread().block_on(async {
        offproc_bench::warm_calls(500, None).await?;
        // SAFETY: it only asks the kernel to let our parent, which does nothing but that, trace this thread.
        if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error().into());
        }
        stop();
        stop();
        for _ in 0..SECTIONS {
            offproc_bench::warm_calls(CALLS, None).await?;
            stop();
        }
        Ok(())
    })
}

fn stop() {
    // SAFETY: the signal stops the thread until its tracer lets it go on.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// The program that is counted, stopped; killed with this.
struct Counter(Child);

impl Counter {
    fn start() -> io::Result<Self> {
        let counted = Command::new("/proc/self/exe").arg(COUNTED).stdin(Stdio::null()).spawn()?;
        let counter = Self(counted);
        match counter.wait()? {
            Stopped::Trap => Err(io::Error::other("it was traced before it asked for it")),
            Stopped::AtSection => Ok(counter),
            Stopped::Signal(signal) => Err(io::Error::other(format!("it got signal {signal}"))),
        }
    }

    fn pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.0.id()).expect("process ids are positive")
    }

    /// Steps to the end of the section; the number of steps, and where they were.
    fn section(&mut self, mut places: Option<&mut HashMap<u64, u64>>) -> io::Result<u64> {
        let mut steps = 0;
        let mut signal = 0;
        loop {
            // SAFETY: the process is our tracee and stopped, as `wait` has just seen; no memory of ours is involved.
            if unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid(), 0, signal) } != 0 {
                return Err(io::Error::last_os_error());
            }
            signal = match self.wait()? {
                Stopped::Trap => 0,
                Stopped::AtSection => return Ok(steps),
                Stopped::Signal(signal) => signal,
            };
            steps += 1;
            if let Some(places) = places.as_deref_mut() {
                *places.entry(self.place()?).or_default() += 1;
            }
        }
    }

    fn wait(&self) -> io::Result<Stopped> {
        let mut status = 0;
        // SAFETY: the status is written to a local variable.
        if unsafe { libc::waitpid(self.pid(), &raw mut status, libc::__WALL) } < 0 {
            return Err(io::Error::last_os_error());
        }
        if !libc::WIFSTOPPED(status) {
            return Err(io::Error::other("the counted program ended early: may it be traced here?"));
        }
        Ok(match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Stopped::Trap,
            libc::SIGSTOP => Stopped::AtSection,
            signal => Stopped::Signal(signal),
        })
    }

    /// The address of the next instruction.
    #[cfg(target_arch = "x86_64")]
    fn place(&self) -> io::Result<u64> {
        // SAFETY: all zeroes is a valid value of this plain structure, which the kernel then fills.
        let registers = unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            if libc::ptrace(libc::PTRACE_GETREGS, self.pid(), 0, &raw mut registers) != 0 {
                return Err(io::Error::last_os_error());
            }
            registers
        };
        Ok(registers.rip)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn place(&self) -> io::Result<u64> {
        Err(io::Error::other("profiles are for x86-64 only"))
    }

    /// Prints the functions in which the steps were, with the help of `nm`.
    fn print(&self, places: &HashMap<u64, u64>) -> Result<(), Box<dyn Error>> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid()))?;
        let base = u64::from_str_radix(maps.split('-').next().unwrap_or_default(), 16)?;
        let end = maps
            .lines()
            .filter(|line| line.ends_with("/instructions"))
            .filter_map(|line| u64::from_str_radix(line.split(['-', ' ']).nth(1)?, 16).ok());
        let end = end.max().unwrap_or(0);
        let symbols = Command::new("nm").args(["-C", "--defined-only"]).arg(std::env::current_exe()?).output()?;
        let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
        let mut functions: Vec<(u64, &str)> = symbols
            .lines()
            .filter_map(|line| Some((u64::from_str_radix(line.get(..16)?, 16).ok()?, line.get(19..)?)))
            .collect();
        functions.sort_unstable();
        let mut by_function: HashMap<&str, u64> = HashMap::new();
        for (place, steps) in places {
            let function = if (base..end).contains(place) {
                let after = functions.partition_point(|(start, _)| *start <= place - base);
                after.checked_sub(1).map_or("?", |index| functions[index].1)
            } else {
                "shared libraries"
            };
            *by_function.entry(function).or_default() += steps;
        }
        let mut by_function: Vec<_> = by_function.into_iter().collect();
        by_function.sort_unstable_by_key(|(_, steps)| std::cmp::Reverse(*steps));
        for (function, steps) in by_function.into_iter().filter(|(_, steps)| *steps >= CALLS) {
            println!("{:>8.1} {function}", steps as f64 / CALLS as f64);
        }
        Ok(())
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Why a traced process stands still.
enum Stopped {
    /// After one instruction.
    Trap,
    /// It has stopped itself, at the end of a section.
    AtSection,
    Signal(libc::c_int),
}

//! Counts the instructions that the caller's thread executes in a warm no-op call, by stepping through them.
//!
//! `instructions` prints the count. `instructions --profile` also prints the functions they belong to, most first.
//!
//! Nothing is timed, and every run counts the same. The thread is stopped between two of its steps, so the worker has
//! always answered by the time the thread looks. As a call takes longer in this way than the worker would spin for it,
//! the worker is set not to sleep. It would still sleep on a contended CPU, so it runs with a higher priority where
//! that is allowed, and calls with a system call, which woke it, do not count: this counts calls without one. Valgrind
//! cannot replace this; it knows no pidfd, and treats `/proc/self/exe` as itself.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::process::{Child, Command, Stdio};

/// The argument that makes this program the one that is counted.
const COUNTED: &str = "--counted";
/// The argument that gives it a subscriber that keeps spans.
const KEEP_SPANS: &str = "--keep-spans";
/// So many without a system call, of which the cheapest one counts...
const CALLS: usize = 10;
/// ...out of so many at most.
const MOST: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some(COUNTED) {
        return counted();
    }
    let mut counter = Counter::start(argument.as_deref().filter(|argument| *argument == KEEP_SPANS))?;
    // What it takes to stop, and to make no call.
    let empty = counter.section()?;
    let (mut counted, mut least) = (0, None::<Section>);
    for _ in 0..MOST {
        let section = counter.section()?;
        if section.system_calls > empty.system_calls {
            continue;
        }
        if least.as_ref().is_none_or(|least| section.steps < least.steps) {
            least = Some(section);
        }
        counted += 1;
        if counted == CALLS {
            break;
        }
    }
    let least = least.ok_or("no call found its worker awake: other processes compute")?;
    println!("{}", least.steps - empty.steps);
    if argument.as_deref() == Some("--profile") {
        counter.print(&least.places)?;
    }
    Ok(())
}

/// Makes calls, and stops itself between them for the counter to see where one begins and ends.
fn counted() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "tracing")]
    if std::env::args().nth(2).as_deref() == Some(KEEP_SPANS) {
        tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
    }
    let awake = offproc::WorkerContext::builder().max_spin(std::time::Duration::from_secs(60)).init(go_first);
    offproc::configure_default_context(awake)?;
    offproc_bench::one_thread().block_on(async {
        offproc_bench::warm_calls(500, None).await?;
        // SAFETY: it only asks the kernel to let our parent, which does nothing but that, trace this thread.
        if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error().into());
        }
        stop();
        for count in std::iter::once(0).chain(std::iter::repeat_n(1, MOST)) {
            offproc_bench::warm_calls(count, None).await?;
            stop();
        }
        Ok(())
    })
}

/// For the worker: other processes get its CPU only while it sleeps, so that it does not stop spinning for them. Not
/// with one CPU, where no other process would run.
fn go_first() {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) {
        let least = libc::sched_param { sched_priority: 1 };
        // SAFETY: a plain structure is read. Where it is not allowed, nothing has changed.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const least) };
    }
}

fn stop() {
    // SAFETY: the signal stops the thread until its tracer lets it go on.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// The program that is counted, stopped; killed with this.
struct Counter {
    process: Child,
    /// Whether there is a system call, by addresses.
    system_calls: HashMap<u64, bool>,
}

/// What was stepped through from one stop to the next.
#[derive(Default)]
struct Section {
    steps: u64,
    system_calls: u64,
    places: HashMap<u64, u64>,
}

impl Counter {
    fn start(option: Option<&str>) -> io::Result<Self> {
        let counted = Command::new("/proc/self/exe").arg(COUNTED).args(option).stdin(Stdio::null()).spawn()?;
        let counter = Self { process: counted, system_calls: HashMap::new() };
        match counter.wait()? {
            Stopped::Trap => Err(io::Error::other("it was traced before it asked for it")),
            Stopped::AtSection => Ok(counter),
            Stopped::Signal(signal) => Err(io::Error::other(format!("it got signal {signal}"))),
        }
    }

    fn pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.process.id()).expect("process ids are positive")
    }

    /// Steps to the end of the section.
    fn section(&mut self) -> io::Result<Section> {
        let mut section = Section::default();
        let mut signal = 0;
        loop {
            // SAFETY: the process is our tracee and stopped, as `wait` has just seen; no memory of ours is involved.
            if unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid(), 0, signal) } != 0 {
                return Err(io::Error::last_os_error());
            }
            signal = match self.wait()? {
                Stopped::Trap => 0,
                Stopped::AtSection => return Ok(section),
                Stopped::Signal(signal) => signal,
            };
            section.steps += 1;
            if let Some(place) = self.place()? {
                section.system_calls += u64::from(self.is_system_call(place));
                *section.places.entry(place).or_default() += 1;
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
    fn place(&self) -> io::Result<Option<u64>> {
        // SAFETY: all zeroes is a valid value of this plain structure, which the kernel then fills.
        let registers = unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            if libc::ptrace(libc::PTRACE_GETREGS, self.pid(), 0, &raw mut registers) != 0 {
                return Err(io::Error::last_os_error());
            }
            registers
        };
        Ok(Some(registers.rip))
    }

    /// Known for x86-64 only.
    #[cfg(not(target_arch = "x86_64"))]
    fn place(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn is_system_call(&mut self, place: u64) -> bool {
        const SYSCALL: u64 = 0x050f;
        let process = self.pid();
        *self.system_calls.entry(place).or_insert_with(|| {
            // SAFETY: reads a word of the tracee, which is stopped. Where it has none, that is no such word.
            let word = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, process, place, 0) };
            word.cast_unsigned() & 0xffff == SYSCALL
        })
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
        for (function, steps) in by_function {
            println!("{steps:>8} {function}");
        }
        Ok(())
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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

//! The operating system: one concept a module, whose files are its mechanisms. Linux is the only system so far; what
//! others offer in its place is in `docs/platforms.md`.
//!
//! **This table says which file is which concept on which system.** Where a system has a mechanism of its own, the
//! concept is a folder with a file for each, all with the same interface. What depends on the system otherwise asks a
//! constant or a function here, so that files outside `sys/` need no `cfg` of a system: `.ci/house.py` counts them.
//!
//! A function that is little more than a system call begins with its name, which is that of its page in the manual.
//! Those that rustix does not offer are safe functions of `syscall`, the loader's list of objects is in `loaded`.
//! Unsafe code is in these two, and in the few files here whose mechanism is unsafe as a whole; outside this folder it
//! is in the files that `.ci/house.py` lists, and nowhere else.
//!
//! Files here know nothing above them but what shared memory contains (`wire::shm`, `wire::items`), the room for what
//! is written to it (`wire::writer::Room`), and how an error gets its context (`error::about`). `.ci/house.py` checks
//! that.

// `--cfg offproc_portable` builds what systems without Linux's mechanisms have, so that it is tested on Linux, too.
// What only those mechanisms use is left over then.
#![cfg_attr(offproc_portable, allow(dead_code))]

// ---- Concepts with a mechanism for each kind of system

/// A process that can be killed and waited for.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "process/pidfd.rs")]
#[cfg_attr(offproc_portable, path = "process/portable.rs")]
pub(crate) mod process;

/// What ends a worker when its parent ends.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "lifeline/sigio.rs")]
#[cfg_attr(offproc_portable, path = "lifeline/watcher.rs")]
pub(crate) mod lifeline;

/// Pairs of connected sockets, and pipes.
#[cfg_attr(unix, path = "socket/socketpair.rs")]
pub(crate) mod pairs;

/// Descriptors that go with bytes.
#[cfg_attr(unix, path = "gifts/rights.rs")]
pub(crate) mod gifts;

/// Memory that can be sent to another process.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "memory/memfd.rs")]
#[cfg_attr(offproc_portable, path = "memory/none.rs")]
mod memory_file;

/// A counter that one process adds to and another takes from.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "wake/eventfd.rs")]
#[cfg_attr(offproc_portable, path = "wake/pipe.rs")]
pub(crate) mod counter;

/// The executable as it is loaded: the place of its code, its constructors, the identity of its build.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "image/elf.rs")]
pub(crate) mod image;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "image/loaded.rs")]
mod loaded;

/// Who is at the other end of a socket.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "peer/linux.rs")]
pub(crate) mod peer;

/// How a worker that is a program of its own gets its connection.
#[cfg_attr(unix, path = "handover/stdin.rs")]
pub(crate) mod handover;

/// CPU time and memory of processes.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "usage/procfs.rs")]
pub(crate) mod usage;

/// What a process changes about itself.
#[cfg_attr(unix, path = "surroundings/unix.rs")]
pub(crate) mod surroundings;

/// Flags that not every system has.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "flags/linux.rs")]
mod flags;

/// What a fork server waits for, and how it announces a worker.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "fork_server/pidfd.rs")]
#[cfg_attr(offproc_portable, path = "fork_server/portable.rs")]
pub(crate) mod fork_server;

/// How a process has ended.
#[cfg_attr(unix, path = "status/signals.rs")]
pub(crate) mod status;

/// The codes of the signals of faults.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "status/linux_codes.rs")]
pub(crate) mod fault_codes;

/// What a terminal's keys and the system's requests to end do to a worker.
#[cfg_attr(unix, path = "interrupt/signals.rs")]
pub(crate) mod signals;

// ---- Concepts with one mechanism so far

pub(crate) mod at_exit;
pub(crate) mod backtrace;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod discard;
pub(crate) mod environment;
pub(crate) mod executable;
pub(crate) mod faults;
pub(crate) mod fd_numbers;
pub(crate) mod fork;
pub(crate) mod fork_registry;
pub(crate) mod huge_pages;
pub(crate) mod leftovers;
pub(crate) mod limits;
pub(crate) mod mappings;
pub(crate) mod oom;
pub(crate) mod random;
pub(crate) mod readiness;
pub(crate) mod reap;
pub(crate) mod rights;
pub(crate) mod ring_memory;
pub(crate) mod scheduling;
pub(crate) mod sealed;
pub(crate) mod shared_memory;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stack;
pub(crate) mod standard;
pub(crate) mod stderr;
pub(crate) mod stdio;
pub(crate) mod symbols;
mod syscall;
pub(crate) mod thread;

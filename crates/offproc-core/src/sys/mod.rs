//! The operating system: one concept a module, whose files are its mechanisms. `docs/platforms.md` compares what
//! Linux, macOS, FreeBSD and Windows offer.
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
#![cfg_attr(any(offproc_portable, target_vendor = "apple", target_os = "freebsd"), allow(dead_code))]

// ---- Concepts with a mechanism for each kind of system

/// A process that can be killed and waited for.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "process/pidfd.rs")]
#[cfg_attr(any(offproc_portable, target_vendor = "apple", target_os = "freebsd"), path = "process/portable.rs")]
#[cfg_attr(windows, path = "process/handle.rs")]
pub(crate) mod process;

/// A descriptor that shows ends of processes.
#[cfg(all(any(target_vendor = "apple", target_os = "freebsd", all(test, target_os = "linux")), not(offproc_portable)))]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "process/ends/kqueue.rs")]
#[cfg_attr(target_os = "linux", path = "process/ends/pidfds.rs")]
mod end_queue;
/// When a child has ended, where a process is a number.
#[cfg(any(offproc_portable, target_vendor = "apple", target_os = "freebsd", all(test, target_os = "linux")))]
#[cfg_attr(offproc_portable, path = "process/ends/thread.rs")]
#[cfg_attr(not(offproc_portable), path = "process/ends/queue.rs")]
mod process_end;

/// What ends a worker when its parent ends.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "lifeline/sigio.rs")]
#[cfg_attr(any(offproc_portable, target_vendor = "apple", target_os = "freebsd"), path = "lifeline/watcher.rs")]
#[cfg_attr(windows, path = "lifeline/job.rs")]
pub(crate) mod lifeline;
#[cfg(unix)]
#[path = "lifeline/ends.rs"]
mod lifeline_ends;

/// Pairs of connected sockets, and pipes.
#[cfg_attr(unix, path = "socket/socketpair.rs")]
#[cfg_attr(windows, path = "socket/loopback.rs")]
pub(crate) mod pairs;

/// What calls on a socket are passed, and what they return.
#[cfg_attr(unix, path = "socket/flags.rs")]
#[cfg_attr(windows, path = "socket/winsock_flags.rs")]
mod socket_flags;

#[cfg(windows)]
#[path = "gifts/any.rs"]
mod any_gift;
/// Descriptors that go with bytes.
#[cfg_attr(unix, path = "gifts/rights.rs")]
#[cfg_attr(windows, path = "gifts/handles.rs")]
pub(crate) mod gifts;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "memory/file_size_limit.rs"]
mod file_size_limit;
/// Memory that can be sent to another process.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cfg_attr(not(offproc_portable), path = "memory/memfd.rs")]
#[cfg_attr(offproc_portable, path = "memory/none.rs")]
mod memory_file;

/// A counter that one process adds to and another takes from.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "wake/eventfd.rs")]
#[cfg_attr(any(offproc_portable, target_vendor = "apple", target_os = "freebsd"), path = "wake/pipe.rs")]
#[cfg_attr(windows, path = "wake/socket.rs")]
pub(crate) mod counter;

/// The executable as it is loaded: the place of its code, its constructors, the identity of its build.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "image/elf.rs")]
#[cfg_attr(windows, path = "image/pe.rs")]
#[cfg_attr(target_vendor = "apple", path = "image/macho.rs")]
#[cfg_attr(target_os = "freebsd", path = "image/elf.rs")]
pub(crate) mod image;
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
#[path = "image/loaded.rs"]
mod loaded;

#[path = "image/fingerprint.rs"]
mod fingerprint;
#[path = "image/offsets.rs"]
mod offsets;

/// Who is at the other end of a socket.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "peer/linux.rs")]
#[cfg_attr(windows, path = "peer/pipe.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "peer/credentials.rs")]
pub(crate) mod peer;

/// What a runtime waits for.
#[cfg_attr(unix, path = "poll_source/descriptor.rs")]
#[cfg_attr(windows, path = "poll_source/socket.rs")]
pub(crate) mod poll_source;

/// What a worker changes about itself.
#[cfg_attr(unix, path = "surroundings/unix.rs")]
#[cfg_attr(windows, path = "surroundings/windows.rs")]
pub(crate) mod surroundings;

#[cfg(windows)]
#[path = "pipes/reader.rs"]
mod pipe_reader;
/// Pipes from a worker.
#[cfg_attr(unix, path = "pipes/unix.rs")]
#[cfg_attr(windows, path = "pipes/waiter.rs")]
pub(crate) mod pipes;

/// The pipes of a worker behind a command.
#[cfg_attr(unix, path = "command/unix.rs")]
#[cfg_attr(windows, path = "command/none.rs")]
pub(crate) mod command;

/// How a worker that is a program of its own gets its connection.
#[cfg_attr(unix, path = "handover/stdin.rs")]
#[cfg_attr(windows, path = "handover/pipe.rs")]
pub(crate) mod handover;

/// CPU time and memory of processes.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "usage/procfs.rs")]
#[cfg_attr(windows, path = "usage/windows.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "usage/by_pid.rs")]
pub(crate) mod usage;

/// Flags that not every system has.
#[cfg(unix)]
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "flags/linux.rs")]
#[cfg_attr(target_vendor = "apple", path = "flags/apple.rs")]
#[cfg_attr(target_os = "freebsd", path = "flags/freebsd.rs")]
mod flags;

#[cfg(unix)]
#[path = "fork_server/requests.rs"]
mod fork_requests;
/// What a fork server waits for, and how it announces a worker.
#[cfg_attr(all(any(target_os = "linux", target_os = "android"), not(offproc_portable)), path = "fork_server/pidfd.rs")]
#[cfg_attr(any(offproc_portable, target_vendor = "apple", target_os = "freebsd"), path = "fork_server/portable.rs")]
#[cfg_attr(windows, path = "fork_server/none.rs")]
pub(crate) mod fork_server;

/// How a process has ended.
#[cfg_attr(unix, path = "status/signals.rs")]
#[cfg_attr(windows, path = "status/exit_code.rs")]
pub(crate) mod status;

/// The codes of the signals of faults.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "status/linux_codes.rs")]
#[cfg_attr(windows, path = "status/no_codes.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "status/no_codes.rs")]
pub(crate) mod fault_codes;

/// What a terminal's keys and the system's requests to end do to a worker.
#[cfg_attr(unix, path = "interrupt/signals.rs")]
#[cfg_attr(windows, path = "interrupt/console.rs")]
pub(crate) mod signals;

// ---- Concepts with one mechanism so far

pub(crate) mod at_exit;
#[cfg(unix)]
mod awaited;
pub(crate) mod backtrace;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
#[path = "syscall/bsd.rs"]
mod bsd_kernel;
/// C's streams.
#[cfg(unix)]
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "stdio/linux.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "stdio/bsd.rs")]
mod c_streams;
#[cfg_attr(unix, path = "calls/unix.rs")]
#[cfg_attr(windows, path = "calls/windows.rs")]
mod calls;
pub(crate) mod child;
#[cfg_attr(windows, path = "clock/windows.rs")]
pub(crate) mod clock;
#[cfg_attr(windows, path = "cpu/windows.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "cpu/none.rs")]
pub(crate) mod cpu;
#[cfg_attr(windows, path = "discard/at_once.rs")]
pub(crate) mod discard;
#[cfg_attr(windows, path = "environment/windows.rs")]
pub(crate) mod environment;
#[cfg_attr(windows, path = "executable/windows.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "executable/current_exe.rs")]
pub(crate) mod executable;
#[cfg_attr(windows, path = "faults/exception.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "faults/none.rs")]
pub(crate) mod faults;
#[cfg_attr(windows, path = "fd_numbers/none.rs")]
pub(crate) mod fd_numbers;
mod flusher;
#[cfg_attr(windows, path = "fork/none.rs")]
pub(crate) mod fork;
#[cfg_attr(windows, path = "fork_registry/unforked.rs")]
pub(crate) mod fork_registry;
#[cfg_attr(windows, path = "huge_pages/none.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "huge_pages/none.rs")]
pub(crate) mod huge_pages;
/// Calls that a system has alone, or in a form of its own.
#[cfg(unix)]
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "syscall/linux.rs")]
#[cfg_attr(target_vendor = "apple", path = "syscall/apple.rs")]
#[cfg_attr(target_os = "freebsd", path = "syscall/freebsd.rs")]
mod kernel;
#[cfg_attr(windows, path = "leftovers/none.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "leftovers/none.rs")]
pub(crate) mod leftovers;
#[cfg_attr(windows, path = "limits/none.rs")]
pub(crate) mod limits;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod mappings;
#[cfg_attr(windows, path = "oom/none.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "oom/unknown.rs")]
pub(crate) mod oom;
pub(crate) mod per_process;
#[cfg(unix)]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "random/none.rs")]
pub(crate) mod random;
pub(crate) mod readiness;
pub(crate) mod reap;
#[cfg_attr(windows, path = "rights/none.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "rights/ids.rs")]
pub(crate) mod rights;
#[cfg_attr(windows, path = "memory/no_rings.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "memory/no_rings.rs")]
pub(crate) mod ring_memory;
#[cfg_attr(windows, path = "scheduling/none.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "scheduling/none.rs")]
pub(crate) mod scheduling;
#[cfg_attr(windows, path = "memory/heap.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "memory/heap.rs")]
pub(crate) mod sealed;
#[cfg_attr(windows, path = "memory/no_slot.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "memory/no_slot.rs")]
pub(crate) mod shared_memory;
pub(crate) mod socket;
#[cfg_attr(windows, path = "spawn/windows.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "spawn/direct.rs")]
pub(crate) mod spawn;
pub(crate) mod stack;
#[cfg_attr(windows, path = "standard/windows.rs")]
pub(crate) mod standard;
#[cfg_attr(windows, path = "stderr/windows.rs")]
pub(crate) mod stderr;
#[cfg_attr(windows, path = "stdio/windows.rs")]
pub(crate) mod stdio;
#[cfg_attr(any(target_os = "linux", target_os = "android", target_os = "freebsd"), path = "symbols/elf.rs")]
#[cfg_attr(target_vendor = "apple", path = "symbols/macho.rs")]
#[cfg_attr(windows, path = "symbols/coff.rs")]
mod symbol_table;
pub(crate) mod symbols;
#[cfg(unix)]
mod syscall;
pub(crate) mod thread;
#[cfg(windows)]
mod win32;

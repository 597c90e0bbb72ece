//! The operating system: one mechanism a file, for Linux alone so far. What other systems offer in its place is in
//! `docs/platforms.md`.
//!
//! A function that is little more than a system call begins with its name, which is that of its page in the manual.
//! Those that rustix does not offer are safe functions of `syscall`, the loader's list of objects is in `loaded`.
//! Unsafe code is in these two, and in the few files here whose mechanism is unsafe as a whole; outside this folder it
//! is in the files that `.ci/house.py` lists, and nowhere else.
//!
//! Files here know nothing above them but what shared memory contains (`wire::shm`, `wire::items`), the room for what
//! is written to it (`wire::writer::Room`), and how an error gets its context (`error::about`). `.ci/house.py` checks
//! that.

pub(crate) mod at_exit;
pub(crate) mod backtrace;
pub(crate) mod clock;
pub(crate) mod counter;
pub(crate) mod cpu;
pub(crate) mod descriptors;
pub(crate) mod discard;
pub(crate) mod environment;
pub(crate) mod executable;
pub(crate) mod faults;
pub(crate) mod fd_numbers;
pub(crate) mod fork;
pub(crate) mod fork_registry;
pub(crate) mod huge_pages;
pub(crate) mod image;
pub(crate) mod leftovers;
pub(crate) mod lifeline;
pub(crate) mod limits;
mod loaded;
pub(crate) mod mappings;
mod memory_file;
pub(crate) mod messages;
pub(crate) mod oom;
pub(crate) mod peer;
pub(crate) mod pidfd;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod readiness;
pub(crate) mod reap;
pub(crate) mod rights;
pub(crate) mod ring_memory;
pub(crate) mod scheduling;
pub(crate) mod sealed;
pub(crate) mod shared_memory;
pub(crate) mod signals;
pub(crate) mod spawn;
pub(crate) mod stack;
pub(crate) mod status;
pub(crate) mod stderr;
pub(crate) mod stdio;
pub(crate) mod symbols;
mod syscall;
pub(crate) mod thread;
pub(crate) mod usage;

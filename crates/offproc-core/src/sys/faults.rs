//! The details of a signal that kills for a fault: its code, and the address or the sender (`sigaction(SA_SIGINFO)`). A
//! parent does not get them from the kernel; so, if the context asks for them, the worker's handler writes them to its
//! lifeline, and the worker dies of the signal all the same. The parent reads from the lifeline only after that.
#![allow(unsafe_code)]

use super::discard::{discard, receive_with};
use super::socket::Blocking;
use super::stack;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

const SIGNALS: [c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// The stack of the handler, for when the thread's own has overflowed; the processor's registers are saved there, too.
const STACK: usize = 64 << 10;

/// The length of a record as it is written, native-endian.
const RECORD: usize = 32;

/// The kernel's details of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) signal: i32,
    pub(crate) code: i32,
    /// The sender, or the system call.
    pub(crate) number: i32,
    pub(crate) address: u64,
    /// The size of the stack that has overflowed: 0 if none has, [`UNKNOWN`] if its size is not known.
    pub(crate) stack: u64,
}

/// The size of the stack of a thread that the job has started.
pub(crate) const UNKNOWN: u64 = u64::MAX;

static LINE: AtomicI32 = AtomicI32::new(-1);

/// The stack of the thread that runs jobs, as far as it may grow.
static STACK_START: AtomicUsize = AtomicUsize::new(0);
static STACK_END: AtomicUsize = AtomicUsize::new(0);

/// `sigaction(SA_SIGINFO)`: from here on the worker reports its faults on `line`, which must stay open.
pub(crate) fn report_on(line: BorrowedFd<'_>) -> io::Result<()> {
    // A handler must not block.
    rustix::fs::fcntl_setfl(line, rustix::fs::fcntl_getfl(line)? | OFlags::NONBLOCK)?;
    LINE.store(line.as_raw_fd(), Ordering::Relaxed);
    let own = stack::of_this_thread().unwrap_or_default();
    STACK_START.store(own.start, Ordering::Relaxed);
    STACK_END.store(own.end, Ordering::Relaxed);
    let stack = Box::leak(vec![0_u8; STACK].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK };
    // SAFETY: the stack is leaked, so it stays; an all-zeroes `sigaction` is valid, and the handler is of the type that
    // `SA_SIGINFO` asks for and only does what a handler may.
    unsafe {
        check(libc::sigaltstack(&raw const stack, std::ptr::null_mut()))?;
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = report as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        for signal in SIGNALS {
            check(libc::sigaction(signal, &raw const action, std::ptr::null_mut()))?;
        }
    }
    Ok(())
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The part of a `siginfo_t` that `SIGSYS` has.
#[repr(C)]
struct SystemCall {
    head: [c_int; 3],
    address: usize,
    number: c_int,
}

extern "C" fn report(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` and `ucontext_t`; the fields of the first are read as its signal
    // and code have them. `write`, `signal`, `raise` and `getpid` may be called in a handler.
    unsafe {
        let code = (*info).si_code;
        let (number, address) = match signal {
            _ if code <= 0 => ((*info).si_pid(), 0),
            libc::SIGSYS => {
                let call = info.cast::<SystemCall>();
                ((*call).number, (*call).address)
            }
            _ => (0, (*info).si_addr() as usize),
        };
        let mut record = [0_u8; RECORD];
        record[0..4].copy_from_slice(&libc::getpid().to_ne_bytes());
        record[4..8].copy_from_slice(&signal.to_ne_bytes());
        record[8..12].copy_from_slice(&code.to_ne_bytes());
        record[12..16].copy_from_slice(&number.to_ne_bytes());
        record[16..24].copy_from_slice(&(address as u64).to_ne_bytes());
        let is_access = code > 0 && matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        let stack = if is_access { overflowed(address, stack_pointer(context.cast())) } else { 0 };
        record[24..32].copy_from_slice(&stack.to_ne_bytes());
        libc::write(LINE.load(Ordering::Relaxed), record.as_ptr().cast(), RECORD);
        libc::signal(signal, libc::SIG_DFL);
        // A fault recurs when the handler returns, and leaves a core dump of its place. Other signals have to be raised
        // again.
        if code <= 0 || signal == libc::SIGTRAP || signal == libc::SIGSYS {
            libc::raise(signal);
        }
    }
}

/// The size of the stack that an access has overflowed: an address near the stack pointer, where there is no memory.
///
/// A function accesses its frame at the end, where the stack pointer is, or, if the frame is large, somewhere above
/// that; a function that it calls pushes below it.
fn overflowed(address: usize, stack_pointer: usize) -> u64 {
    const BELOW: usize = 64 << 10;
    const FRAME: usize = 64 << 10;
    const LARGE_FRAME: usize = 8 << 20;
    let (start, end) = (STACK_START.load(Ordering::Relaxed), STACK_END.load(Ordering::Relaxed));
    let is_own = (start.saturating_sub(BELOW)..end).contains(&stack_pointer);
    let frame = if is_own { LARGE_FRAME.min(end - stack_pointer) } else { FRAME };
    if stack_pointer == 0
        || address < stack_pointer.saturating_sub(BELOW)
        || address >= stack_pointer.saturating_add(frame)
    {
        0
    } else if is_own {
        (end - start) as u64
    } else {
        UNKNOWN
    }
}

/// 0 for processors whose saved registers are not known here.
///
/// # Safety
///
/// What the kernel has passed to a handler of this thread.
unsafe fn stack_pointer(context: *const libc::ucontext_t) -> usize {
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "x86_64")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a register that holds an address")]
    return unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] as usize };
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "aarch64")]
    #[allow(clippy::cast_possible_truncation, reason = "a register that holds an address")]
    return unsafe { (*context).uc_mcontext.sp as usize };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = context;
        0
    }
}

/// The record of a process that has ended.
pub(crate) fn read(line: impl AsFd, pid: u32) -> Option<Record> {
    // More records than a worker with forks of its own writes.
    const MOST: usize = 64;
    let (mut last, mut descriptors) = (None, Vec::new());
    for _ in 0..MOST {
        let mut bytes = [0_u8; RECORD];
        let received = receive_with(&line, &mut bytes, &mut descriptors, Blocking::No);
        // A well-behaved worker sends none here.
        discard(descriptors.drain(..));
        match received {
            Ok(RECORD) => {}
            Err(Errno::INTR) => continue,
            _ => break,
        }
        let number = |at: usize| i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let (address, stack) = (word(16), word(24));
        // A fork of the worker has the same handler.
        if u32::try_from(number(0)) == Ok(pid) {
            last = Some(Record { signal: number(4), code: number(8), number: number(12), address, stack });
        }
    }
    last
}

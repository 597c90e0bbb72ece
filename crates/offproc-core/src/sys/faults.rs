//! What a signal that kills for a fault is about: its code, and the address or the sender. A parent is not told; so, where
//! it is wanted, the worker itself writes it to its lifeline and dies of the signal all the same. Nobody reads from that
//! before its end.
#![allow(unsafe_code)]

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};

const SIGNALS: [c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// Room for a handler where the stack has overflowed, the processor's registers included.
const STACK: usize = 64 << 10;

/// As it is written, native-endian.
const RECORD: usize = 32;

/// What the kernel says of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) signal: i32,
    pub(crate) code: i32,
    /// The sender, or the system call.
    pub(crate) number: i32,
    pub(crate) address: u64,
}

static LINE: AtomicI32 = AtomicI32::new(-1);

/// From here on the worker tells. `line` must stay open.
pub(crate) fn tell_on(line: BorrowedFd<'_>) -> io::Result<()> {
    // A handler must not block.
    rustix::fs::fcntl_setfl(line, rustix::fs::fcntl_getfl(line)? | OFlags::NONBLOCK)?;
    LINE.store(line.as_raw_fd(), Ordering::Relaxed);
    let stack = Box::leak(vec![0_u8; STACK].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK };
    // SAFETY: the stack is leaked, so it stays; an all-zeroes `sigaction` is valid, and the handler is of the type that
    // `SA_SIGINFO` asks for and only does what a handler may.
    unsafe {
        check(libc::sigaltstack(&raw const stack, std::ptr::null_mut()))?;
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = tell as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as libc::sighandler_t;
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

extern "C" fn tell(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`, whose fields are read as its signal and code have them. `write`,
    // `signal`, `raise` and `getpid` may be called in a handler.
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
        libc::write(LINE.load(Ordering::Relaxed), record.as_ptr().cast(), RECORD);
        libc::signal(signal, libc::SIG_DFL);
        // A fault comes again by itself, and leaves a core dump of where it was. The others have to be sent again.
        if code <= 0 || signal == libc::SIGTRAP || signal == libc::SIGSYS {
            libc::raise(signal);
        }
    }
}

/// What a process that has ended had told.
pub(crate) fn read(line: impl AsFd, pid: u32) -> Option<Record> {
    // More than a worker with forks of its own has any business to write.
    const MOST: usize = 64;
    let mut last = None;
    for _ in 0..MOST {
        let mut bytes = [0_u8; RECORD];
        match rustix::net::recv(&line, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((RECORD, _)) => {}
            Err(Errno::INTR) => continue,
            _ => break,
        }
        let number = |at: usize| i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let address = u64::from_ne_bytes(bytes[16..24].try_into().expect("8 bytes"));
        // A fork of the worker has the same handler.
        if u32::try_from(number(0)) == Ok(pid) {
            last = Some(Record { signal: number(4), code: number(8), number: number(12), address });
        }
    }
    last
}

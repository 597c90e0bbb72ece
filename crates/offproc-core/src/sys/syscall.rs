//! Calls that every Unix has, and that rustix lacks, or does not offer in the form needed here: each as a function that
//! is safe to call, and nothing more. Those that a system has alone, or in a form of its own, are in `syscall/`.
//!
//! Each begins with what it calls; the manual has a page for it under that name, in section 2 or 3:
//! `https://man7.org/linux/man-pages/man2/waitid.2.html`.
#![allow(unsafe_code)]

use rustix::event::{FdSetElement, Timespec, fd_set_insert, fd_set_num_elements, select};
use rustix::io::Errno;
use rustix::process::Resource;
use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The error of a call that has returned -1.
pub(super) fn failure() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

pub(super) fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(failure()) } else { Ok(result) }
}

// ---- The process as a whole

/// `atexit(hook)`: runs `hook` when the program returns from `main` or calls `exit`.
pub(super) fn atexit(hook: extern "C" fn()) {
    // SAFETY: a function lives as long as the program, and one that is `extern "C"` does not unwind.
    unsafe { libc::atexit(hook) };
}

/// `pthread_atfork(before, parent, child)`: what each `fork` of this process runs, whatever code calls it.
///
/// In the child of a process with several threads, `child` may only do what needs no lock.
pub(super) fn pthread_atfork(
    before: Option<extern "C" fn()>,
    parent: Option<extern "C" fn()>,
    child: Option<extern "C" fn()>,
) {
    let foreign = |hook: extern "C" fn()| hook as unsafe extern "C" fn();
    // SAFETY: functions live as long as the program, and those that are `extern "C"` do not unwind.
    unsafe { libc::pthread_atfork(before.map(foreign), parent.map(foreign), child.map(foreign)) };
}

/// `_exit(code)`: ends the process without running `atexit` handlers.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: it has no preconditions.
    unsafe { libc::_exit(code) }
}

/// `getrlimit(resource)`: the soft and the hard limit; `None` is no limit. rustix's own panics where a filter refuses
/// the call.
pub(super) fn getrlimit(resource: Resource) -> Result<(Option<u64>, Option<u64>), Errno> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: it writes to `limit`, which has room for what it writes; any number may be asked for.
    check(unsafe { libc::getrlimit(resource as _, limit.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded, and so has written the whole of it.
    let limit = unsafe { limit.assume_init() };
    #[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion, reason = "of another type elsewhere")]
    let known = |most: libc::rlim_t| u64::try_from(most).ok().filter(|_| most != libc::RLIM_INFINITY);
    Ok((known(limit.rlim_cur), known(limit.rlim_max)))
}

/// `getrusage(RUSAGE_SELF)`: the largest resident memory that this process ever had, in the unit of the
/// system.
pub(super) fn getrusage_maxrss() -> u64 {
    // SAFETY: an all-zeroes `rusage` is valid, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    u64::try_from(usage.ru_maxrss).unwrap_or(0)
}

// ---- Rights

/// `getgroups(places)`: how many supplementary groups there are, which are in the first places then; `None` where there
/// is no room for them. rustix's own allocates.
pub(super) fn getgroups(places: &mut [libc::gid_t]) -> Option<usize> {
    let room = c_int::try_from(places.len()).ok()?;
    // SAFETY: there is room for as many numbers as are asked for.
    let count = unsafe { libc::getgroups(room, places.as_mut_ptr()) };
    usize::try_from(count).ok()
}

// ---- Descriptors

/// `select()`, of one descriptor: whether it is ready. It knows no limit on the numbers of descriptors.
pub(super) fn select_one(fd: BorrowedFd<'_>, for_reading: bool, timeout: Option<&Timespec>) -> Result<bool, Errno> {
    let number = fd.as_raw_fd();
    let mut set = vec![FdSetElement::default(); fd_set_num_elements(1, number + 1)];
    fd_set_insert(&mut set, number);
    // SAFETY: the one descriptor in the set is open, as it is borrowed.
    let count = unsafe {
        if for_reading {
            select(number + 1, Some(&mut set), None, None, timeout)
        } else {
            select(number + 1, None, Some(&mut set), None, timeout)
        }
    };
    Ok(count? > 0)
}

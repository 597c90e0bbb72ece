//! Linux's own calls: see `syscall.rs`.
#![allow(unsafe_code)]

use super::syscall::{check, failure};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};
use rustix::process::{Pid, Resource};
use rustix::time::ClockId;
use std::ffi::{CStr, OsStr, c_char, c_int, c_long, c_uint};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

// ---- Memory

/// `madvise(MADV_HUGEPAGE)`: the system backs this memory by huge pages where it can.
pub(super) fn madvise_hugepage(pages: &mut [MaybeUninit<u8>]) -> Result<(), Errno> {
    // SAFETY: the range is exclusively borrowed, and the advice does not change what is in it.
    unsafe { madvise(pages.as_mut_ptr().cast(), pages.len(), Advice::LinuxHugepage) }
}

/// A clock that is cheap to read, and goes by some milliseconds.
pub(super) const COARSE_CLOCK: ClockId = ClockId::MonotonicCoarse;

/// What a process can be limited in.
pub(super) const LIMITS: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

/// `getauxval(AT_SECURE)`: true for a set-user-id, set-group-id or file-capabilities start.
pub(super) fn is_privileged_start() -> bool {
    // SAFETY: `getauxval` only reads the process's auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// `getauxval(AT_EXECFN)`: the path that was passed to `execve` for this process; some loaders replace it by the
/// program's.
pub(super) fn executed_path() -> Option<PathBuf> {
    // SAFETY: `getauxval` only reads the process's auxiliary vector.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: where it is there, it is a string that lives as long as the process.
    (!path.is_null()).then(|| OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()).into())
}

/// The unit of `ru_maxrss`, in bytes.
pub(super) const RESIDENT_UNIT: u64 = 1024;

// ---- Other processes

/// What `waitid` says of a child that it has reaped.
pub(super) struct Waited {
    /// `si_code`: `CLD_EXITED` and others.
    pub(super) code: c_int,
    /// The exit code, or the signal.
    pub(super) status: c_int,
    pub(super) usage: KernelUsage,
}

/// The kernel's own `struct rusage`, which that of a C library need not be.
#[repr(C)]
#[derive(Default)]
pub(super) struct KernelUsage {
    /// Seconds and microseconds.
    pub(super) user: [c_long; 2],
    pub(super) system: [c_long; 2],
    /// The largest resident memory.
    pub(super) kilobytes: c_long,
    rest: [c_long; 13],
}

/// `waitid(P_PIDFD, WEXITED | WNOHANG)`: reaps a child, if it has ended. By the kernel's own interface, as that of the
/// C library has no place for the usage.
pub(super) fn waitid(child: BorrowedFd<'_>) -> Result<Option<Waited>, Errno> {
    let mut usage = KernelUsage::default();
    let options = libc::WEXITED | libc::WNOHANG;
    // SAFETY: all zeroes is a valid `siginfo_t`. The kernel writes to it and to `usage`, which have its layout, and
    // looks at nothing else of ours.
    let (info, result) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let child = child.as_raw_fd();
        let result = libc::syscall(libc::SYS_waitid, libc::P_PIDFD, child, &raw mut info, options, &raw mut usage);
        (info, result)
    };
    if result < 0 {
        return Err(failure());
    }
    // SAFETY: `waitid` fills in these fields; where no child has ended, they are zero as before.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then_some(Waited { code: info.si_code, status, usage }))
}

/// `pidfd_send_signal(leader, SIGKILL, PIDFD_SIGNAL_PROCESS_GROUP)`: kills the group that a process leads.
///
/// # Errors
///
/// `INVAL`: the kernel is older than Linux 6.9.
pub(super) fn pidfd_kill_group(leader: BorrowedFd<'_>) -> Result<(), Errno> {
    const PIDFD_SIGNAL_PROCESS_GROUP: c_uint = 1 << 2;
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call takes numbers and a pointer that may be null, and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, leader.as_raw_fd(), libc::SIGKILL, info, PIDFD_SIGNAL_PROCESS_GROUP)
    };
    if result < 0 { Err(failure()) } else { Ok(()) }
}

/// `clock_getcpuclockid(pid)` and `clock_gettime`: the CPU time of the process that has this number now, in seconds and
/// nanoseconds.
pub(super) fn process_cpu_time(pid: libc::pid_t) -> Option<libc::timespec> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write to what they are given, and nothing else.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) != 0 || libc::clock_gettime(clock, &raw mut time) != 0
    };
    (!failed).then_some(time)
}

// ---- Threads

/// `sched_getcpu()`: the CPU that this thread runs on. rustix takes it for a call that cannot fail; a sandbox may
/// refuse it.
#[inline]
pub(super) fn sched_getcpu() -> Option<u32> {
    // SAFETY: it has no preconditions.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// `sched_getscheduler(thread)` and `sched_getparam`: the policy, and the priority for those that have one; 0 is the
/// calling thread.
pub(super) fn sched_getscheduler(thread: libc::pid_t) -> Option<(c_int, c_int)> {
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the call takes a number.
    let policy = unsafe { libc::sched_getscheduler(thread) };
    // SAFETY: the structure is written to during the call.
    let known = unsafe { libc::sched_getparam(thread, &raw mut parameters) };
    (policy >= 0 && known == 0).then_some((policy, parameters.sched_priority))
}

/// `sched_setscheduler(0, policy, priority)`: of the calling thread.
pub(super) fn sched_setscheduler(policy: c_int, priority: c_int) -> Result<(), Errno> {
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the structure is read during the call.
    check(unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) }).map(drop)
}

const IOPRIO_WHO_PROCESS: c_int = 1;

/// `ioprio_get(IOPRIO_WHO_PROCESS, thread)`; 0 is the calling thread.
pub(super) fn ioprio_get(thread: libc::pid_t) -> Option<i64> {
    // SAFETY: the call takes numbers only.
    let priority = unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, thread) };
    #[allow(clippy::useless_conversion, reason = "not on systems of 32 bits")]
    (priority >= 0).then_some(priority.into())
}

/// `ioprio_set(IOPRIO_WHO_PROCESS, 0, priority)`: of the calling thread.
pub(super) fn ioprio_set(priority: i64) {
    // SAFETY: the call takes numbers only.
    unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) };
}

/// `tgkill(this process, thread, 0)`: whether there is a thread of this process with this number. No signal is sent.
pub(super) fn has_thread(thread: Pid) -> bool {
    let process = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: the call takes numbers, and no signal is sent.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread.as_raw_nonzero().get(), 0) == 0 }
}

/// `pthread_getattr_np(pthread_self())` and `pthread_attr_getstack`: the stack of the calling thread, from its lowest
/// address, as far as it may grow, to its end.
pub(super) fn stack() -> Option<Range<usize>> {
    if cfg!(miri) {
        return None; // it has no such function
    }
    // SAFETY: an all-zeroes `pthread_attr_t` is valid memory for `pthread_getattr_np`, which initialises it, and is
    // destroyed where it did; the others only read from it, into variables of ours.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        let known = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (known == 0).then(|| start.addr()..start.addr() + size)
    }
}

/// `prctl(PR_SET_NAME)`: the name of the calling thread. That of the first one is what `ps` shows for the process.
pub(super) fn set_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

// ---- Rights

/// `getresuid()`: the real, effective and saved user.
pub(super) fn getresuid() -> [libc::uid_t; 3] {
    let mut users = [0; 3];
    let [real, effective, saved] = &mut users;
    // SAFETY: three places for numbers, which are written to. It cannot fail but for bad places.
    unsafe { libc::getresuid(real, effective, saved) };
    users
}

/// `getresgid()`: the real, effective and saved group.
pub(super) fn getresgid() -> [libc::gid_t; 3] {
    let mut groups = [0; 3];
    let [real, effective, saved] = &mut groups;
    // SAFETY: as in `getresuid`.
    unsafe { libc::getresgid(real, effective, saved) };
    groups
}

// ---- Descriptors

/// `fcntl(F_SETOWN)`, `fcntl(F_SETSIG)` and `O_ASYNC`: the kernel sends this process a signal when there is something
/// to read from a socket, such as its end.
pub(super) fn signal_when_readable(socket: BorrowedFd<'_>, signal: c_int) -> Result<(), Errno> {
    const F_SETSIG: c_int = 10;
    let fd = socket.as_raw_fd();
    // SAFETY: `getpid` has no preconditions; these commands take an integer and only change what the kernel notes about
    // an open descriptor.
    unsafe {
        check(libc::fcntl(fd, libc::F_SETOWN, libc::getpid()))?;
        check(libc::fcntl(fd, F_SETSIG, signal))?;
        let flags = check(libc::fcntl(fd, libc::F_GETFL))?;
        check(libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC))?;
    }
    Ok(())
}

/// `fcntl(F_SETOWN)`: the signal goes to the whole process group, which this process leads.
pub(super) fn signal_group_when_readable(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: as in `signal_when_readable`.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETOWN, -libc::getpid()) }).map(drop)
}

/// `getsockopt(SO_PEERCRED)`: the process that has made the other end. By `libc`, as the number may be 0.
pub(super) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("a few bytes");
    let (fd, place) = (socket.as_raw_fd(), (&raw mut peer).cast());
    // SAFETY: `peer` is a variable of ours, of the length that is said, and may have any content.
    let known = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, place, &raw mut length) };
    if known == 0 { Ok(peer) } else { Err(io::Error::last_os_error()) }
}

/// `getsockopt(SO_PEERGROUPS)`: the supplementary groups of the process that has made the other end.
pub(super) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut length = libc::socklen_t::try_from(size_of_val(&groups[..])).map_err(io::Error::other)?;
        let (fd, place) = (socket.as_raw_fd(), groups.as_mut_ptr().cast());
        // SAFETY: the vector has that many bytes, and any number is a group.
        let known = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, place, &raw mut length) };
        let count = length as usize / size_of::<libc::gid_t>();
        match (known, io::Error::last_os_error()) {
            (0, _) => {
                groups.truncate(count);
                return Ok(groups);
            }
            (_, e) if e.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => groups.resize(count, 0),
            (_, e) => return Err(e),
        }
    }
}

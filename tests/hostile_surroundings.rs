//! In surroundings that are short of something, or in which the program gets in the way, calls work, or end with an
//! error that tells why.

use futures::FutureExt;
use futures::executor::block_on;
use futures::task::noop_waker_ref;
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::File;
use std::io::{Error, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::task::{Context, Poll};

isolated!(
    a_fork_that_holds_a_call,
    its_standard_streams_closed,
    its_output_a_broken_pipe,
    its_file_replaced,
    without_memfd,
    memfd_forbidden,
    without_pidfd,
    without_proc,
    sigchld_ignored,
    sigchld_handled,
    a_thread_that_waits_for_all_children,
    no_more_processes,
);

/// Where every kind of worker works over both transports.
const WORKS: &str = "\
Spawn SharedMemory: 42, broken, 42
Spawn Stream: 42, broken, 42
ForkServer SharedMemory: 42, broken, 42
ForkServer Stream: 42, broken, 42
Fork SharedMemory: 42, broken, 42
Fork Stream: 42, broken, 42
";

/// Runs the program with `arrange` run between fork and exec, and gives its report.
fn report(what: &str, arrange: fn() -> Result<(), Error>) -> String {
    let scratch = Scratch::new();
    let file = scratch.path("report");
    let mut program = program(&scratch, what, &file);
    // SAFETY: the functions given make system calls only.
    unsafe { program.pre_exec(arrange) };
    let output = program.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    trace(&file)
}

/// A copy that may be replaced.
fn program(scratch: &Scratch, what: &str, report: &str) -> Command {
    let copy = scratch.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_surrounded"), &copy).expect("a copy");
    let mut program = Command::new(copy);
    program.args([what, report]).stdin(Stdio::null());
    program
}

fn its_standard_streams_closed() {
    let close = || {
        for fd in 0..=2 {
            // SAFETY: nothing in this process, which is about to exec, uses them any more.
            unsafe { libc::close(fd) };
        }
        Ok(())
    };
    assert_eq!(report("as-it-is", close), WORKS);
}

fn its_output_a_broken_pipe() {
    let scratch = Scratch::new();
    let file = scratch.path("report");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut program = program(&scratch, "as-it-is", &file);
    let status = program.stdout(writer.try_clone().unwrap()).stderr(writer).status().expect("the program starts");
    assert!(status.success());
    assert_eq!(trace(&file), WORKS);
}

fn its_file_replaced() {
    assert_eq!(report("its-file-replaced", || Ok(())), WORKS);
}

fn without_memfd() {
    assert_eq!(report("without-memfd", || Ok(())), WORKS);
}

fn memfd_forbidden() {
    assert_eq!(report("memfd-forbidden", || Ok(())), WORKS);
}

fn without_pidfd() {
    for line in report("without-pidfd", || Ok(())).lines() {
        assert!(line.contains("could not be started") && line.contains("pidfd_open"), "{line}");
    }
}

fn without_proc() {
    let unmount_proc = || {
        // SAFETY: this process, which is about to exec, has one thread.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
        rustix::mount::mount_change(
            "/",
            rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC,
        )?;
        unmount("/proc", UnmountFlags::DETACH)?;
        Ok(())
    };
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can do without /proc");
        return;
    }
    let report = report("as-it-is", unmount_proc);
    for line in report.lines() {
        let works = line.ends_with(": 42, broken, 42");
        assert!(works || line.contains("/proc"), "{line}");
        assert!(works || !line.starts_with("Fork "), "a fork of the program needs no /proc: {line}");
    }
    assert_eq!(report.lines().count(), 6, "{report}");
}

fn sigchld_ignored() {
    assert_eq!(report("sigchld-ignored", || Ok(())), WORKS);
}

fn sigchld_handled() {
    assert_eq!(report("sigchld-handled", || Ok(())), WORKS);
}

fn a_thread_that_waits_for_all_children() {
    assert_eq!(report("waits-for-all", || Ok(())), WORKS);
}

fn no_more_processes() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can become a user without other processes");
        return;
    }
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let file = scratch.path("report");
    let mut program = program(&scratch, "no-more-processes", &file);
    // A user that nobody else is.
    let output = program.uid(64_123).gid(64_123).output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let mut report = String::new();
    File::open(&file).unwrap().read_to_string(&mut report).unwrap();
    let [first, cached, death, refused, again] = report.lines().collect::<Vec<_>>()[..] else { panic!("{report}") };
    assert_eq!([first, cached, death, again], ["42", "42", "broken", "42"], "{report}");
    assert!(refused.contains("could not be started") && refused.contains("temporarily unavailable"), "{refused}");
}

/// A fork of the program has none of the memory that a worker and the program share.
fn a_fork_that_holds_a_call() {
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut call = context.run_sync(job::work, argument).kill_on_cancel(true).into_future();
    block_on(drive_until(&mut call, arrivals.next()));
    in_a_fork(|| {
        let polled = call.poll_unpin(&mut Context::from_waker(noop_waker_ref()));
        assert!(matches!(polled, Poll::Ready(Err(offproc::Error::BrokenWorker(_)))), "{polled:?}");
    });
    in_a_fork(|| {
        // In the place of what is not there, among others.
        let mut mappings: Vec<_> = (0..64).map(|_| map_64_kib()).collect();
        // SAFETY: this process ends without dropping it again.
        unsafe { std::ptr::drop_in_place(&raw mut call) };
        mappings.iter_mut().for_each(|mapping| mapping.fill(7));
    });
    gate.admit_one();
    block_on(call).expect("neither has harmed the worker");
    block_on(context.close()).expect("a clean end");
}

fn map_64_kib() -> &'static mut [u8] {
    const LENGTH: usize = 64 << 10;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice, that stays for the life of the process.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(std::ptr::null_mut(), LENGTH, access, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        std::slice::from_raw_parts_mut(start.cast(), LENGTH)
    }
}

/// Does something in a fork of the test, which must end well.
fn in_a_fork(work: impl FnOnce()) {
    // SAFETY: the child uses the allocator and the call, and nothing that the keeper, which sleeps, may hold.
    match unsafe { libc::fork() } {
        0 => {
            let is_well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(i32::from(!is_well)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the status is written to a place for it.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the fork's status as `waitpid` has it");
        }
    }
}

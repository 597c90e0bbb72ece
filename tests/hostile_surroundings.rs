//! In surroundings that are short of something, or in which the program gets in the way, calls work, or end with an
//! error that tells why.

use offproc_tests::isolated;
use offproc_tests::scratch::{Scratch, trace};
use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::File;
use std::io::{Error, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

isolated!(
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

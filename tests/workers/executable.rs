//! offproc executes this program for a worker, however it was started, or nothing; and an error says why it cannot.

use offproc_tests::isolated;
use offproc_tests::scratch::Scratch;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::{self, Permissions};
use std::io::{Error, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

isolated!(
    started_by_the_loader,
    started_by_the_loader_with_options,
    started_by_the_loader_from_elsewhere,
    started_by_the_loader_and_replaced,
    under_an_emulator,
    that_is_a_memory_file,
    that_was_renamed,
    without_proc_from_elsewhere,
    without_proc_and_replaced,
    for_root_alone,
    on_a_file_system_that_may_not_be_executed_from_any_more,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");
const WORKS: &str = "spawn: ok\nfork_server: ok\n";

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A copy of the program that all may read and execute, in a folder of its own.
fn copy() -> (Scratch, String) {
    let scratch = Scratch::new();
    fs::set_permissions(scratch.folder(), Permissions::from_mode(0o755)).unwrap();
    let copy = scratch.path("program");
    fs::copy(PROGRAM, &copy).unwrap();
    (scratch, copy)
}

/// The dynamic loader of this very test, where it has one.
fn loader() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let loader = maps.split_whitespace().find(|word| word.contains("/ld-")).map(str::to_owned);
    if loader.is_none() {
        println!("SKIPPED: a static executable");
    }
    loader
}

/// What a worker must not execute: an argument of the program that is a program itself, and has this effect.
struct Bystander {
    scratch: Scratch,
}

impl Bystander {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    fn arguments(&self) -> [String; 3] {
        ["--".to_owned(), "/usr/bin/touch".to_owned(), self.scratch.path("touched")]
    }

    fn must_not_have_run(&self) {
        assert!(!Path::new(&self.scratch.path("touched")).exists(), "an argument was executed");
    }
}

fn started_by_the_loader() {
    let Some(loader) = loader() else { return };
    let bystander = Bystander::new();
    // `call` is the first argument of the program; for the loader it is the second.
    let output = Command::new(&loader).arg(PROGRAM).arg("call").args(bystander.arguments()).output().unwrap();
    assert_eq!(said(&output), WORKS);
    let output = Command::new(&loader).args([PROGRAM, "/usr/bin/touch", &bystander.scratch.path("touched")]).output();
    assert_eq!(said(&output.unwrap()), "main ran\n");
    bystander.must_not_have_run();
}

fn started_by_the_loader_with_options() {
    let Some(loader) = loader() else { return };
    let (scratch, copy) = copy();
    let libraries = scratch.path("libraries");
    let folder = Path::new(&copy).parent().unwrap();
    for options in [&["--library-path", &libraries][..], &["--inhibit-cache", "--argv0", "another name"]] {
        for program in [&copy, "./program"] {
            let mut command = Command::new(&loader);
            let output = command.args(options).arg(program).args(["call", "--", PROGRAM]).current_dir(folder).output();
            assert_eq!(said(&output.unwrap()), WORKS, "{options:?} {program}");
        }
    }
}

fn started_by_the_loader_from_elsewhere() {
    let Some(loader) = loader() else { return };
    let (scratch, _copy) = copy();
    let mut command = Command::new(loader);
    command.args(["./program", "call", "go-to", "/", "--", "x"]).current_dir(scratch.folder());
    assert_eq!(said(&command.output().unwrap()), WORKS);
}

fn started_by_the_loader_and_replaced() {
    let Some(loader) = loader() else { return };
    let (scratch, copy) = copy();
    let said = while_it_waits(Command::new(loader).args([&copy, "call", "wait"]), || replace(&scratch, &copy));
    must_refuse_to_execute_another(&said, &copy, &scratch);
}

/// Starts a command that waits before its calls, and gives all that it says; `meanwhile` is run before it goes on.
fn while_it_waits(command: &mut Command, meanwhile: impl FnOnce()) -> String {
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
    let mut waits = [0; 6];
    stdout.read_exact(&mut waits).unwrap();
    assert_eq!(&waits, b"waits\n");
    meanwhile();
    stdin.write_all(b"\n").unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert!(program.wait().unwrap().success());
    said
}

/// Puts a script in the place of the program that notes that it was executed.
fn replace(scratch: &Scratch, program: &str) {
    let script = scratch.path("script");
    fs::write(&script, format!("#!/bin/sh\necho executed > {}\n", scratch.path("executed"))).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    fs::rename(script, program).unwrap();
}

fn must_refuse_to_execute_another(said: &str, program: &str, scratch: &Scratch) {
    assert_eq!(said.lines().count(), 2, "{said}");
    for line in said.lines() {
        assert!(line.contains(": Spawn: ") && line.contains(program), "{line}");
        assert!(line.contains("no file is certainly this program's executable"), "{line}");
    }
    assert!(!Path::new(&scratch.path("executed")).exists(), "another file was executed");
}

fn under_an_emulator() {
    // There, `/proc/self/exe` opens as the program, and executes as the emulator.
    let valgrind = Command::new("valgrind").args(["-q", "--tool=none", PROGRAM, "call", "--", "x"]).output();
    match valgrind {
        Err(e) => println!("SKIPPED: there is no valgrind ({e})"),
        Ok(output) => {
            let said = said(&output);
            let lacks = |line: &str| line.contains("Spawn: ") && line.contains("the system refused `pidfd_open`");
            assert!(said == WORKS || said.lines().count() == 2 && said.lines().all(lacks), "{said}");
        }
    }
}

fn that_is_a_memory_file() {
    let file = rustix::fs::memfd_create("program", rustix::fs::MemfdFlags::empty()).unwrap();
    let mut file = fs::File::from(file);
    file.write_all(&fs::read(PROGRAM).unwrap()).unwrap();
    // It cannot be executed while a process has it open for writing.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let readable = fs::File::open(&path).unwrap();
    drop(file);
    rustix::io::fcntl_setfd(&readable, rustix::io::FdFlags::empty()).unwrap();
    let path = format!("/proc/self/fd/{}", readable.as_raw_fd());
    let output = Command::new(path).args(["call", "--", "x"]).output().unwrap();
    assert_eq!(said(&output), WORKS);
}

fn that_was_renamed() {
    let (scratch, copy) = copy();
    let said = while_it_waits(Command::new(&copy).args(["call", "wait"]), || {
        fs::rename(&copy, scratch.path("renamed")).unwrap();
        replace(&scratch, &copy);
    });
    assert_eq!(said, WORKS);
    assert!(!Path::new(&scratch.path("executed")).exists(), "another file was executed");
}

/// Hides `/proc` from a command.
fn without_proc(command: &mut Command) -> Option<&mut Command> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can do without /proc");
        return None;
    }
    let hide = || {
        // SAFETY: this process, which is about to exec, has one thread.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
        let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private)?;
        rustix::mount::unmount("/proc", rustix::mount::UnmountFlags::DETACH)?;
        Ok::<(), Error>(())
    };
    // SAFETY: system calls only.
    Some(unsafe { command.pre_exec(hide) })
}

fn without_proc_from_elsewhere() {
    let (scratch, _copy) = copy();
    let mut command = Command::new("./program");
    command.args(["call", "go-to", "/", "--", "x"]).current_dir(scratch.folder());
    let Some(command) = without_proc(&mut command) else { return };
    assert_eq!(said(&command.output().unwrap()), WORKS);
}

fn without_proc_and_replaced() {
    let (scratch, copy) = copy();
    let mut command = Command::new(&copy);
    let Some(command) = without_proc(command.args(["call", "wait"])) else { return };
    let said = while_it_waits(command, || replace(&scratch, &copy));
    must_refuse_to_execute_another(&said, &copy, &scratch);
}

fn for_root_alone() {
    if !rustix::process::geteuid().is_root() {
        return println!("SKIPPED: only root can give up being root");
    }
    let (_scratch, copy) = copy();
    fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
    let said = said(&Command::new(&copy).args(["call", "be", "65534"]).output().unwrap());
    for line in said.lines() {
        assert!(line.contains(&format!("{copy} could not be executed: Permission denied")), "{line}");
        assert!(line.contains("user 65534") && line.contains("mode 0700, user 0 and group"), "{line}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
}

fn on_a_file_system_that_may_not_be_executed_from_any_more() {
    if !rustix::process::geteuid().is_root() {
        return println!("SKIPPED: only root can mount");
    }
    let (scratch, copy) = copy();
    let folder = scratch.folder().display();
    let script = format!(
        "mount --bind {folder} {folder} && (read line; mount -o remount,bind,noexec {folder}; echo) | {copy} call wait"
    );
    let mut command = Command::new("unshare");
    let said = while_it_waits(command.args(["--mount", "sh", "-c", &script]), || {});
    for line in said.lines() {
        assert!(line.contains(&copy) && line.contains("its file system is mounted `noexec`"), "{line}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
}

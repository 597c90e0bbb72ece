//! A program that merely links offproc runs functions by their offset for its parent alone: no environment, argument or
//! descriptor makes it a worker of another user, or of a process with fewer rights.
//!
//! The attacker is a user without rights, who starts the program as if it were a worker. With the attacker's own rights
//! that works: such a worker can do nothing that the attacker could not do anyhow.

use offproc::run_sync;
use offproc_tests::isolated;
use offproc_tests::scratch::Scratch;
use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

isolated!(
    a_terminal_a_file_or_a_network_is_no_parent,
    a_child_that_a_worker_forgot_is_no_worker,
    an_equal_may_have_himself_for_a_worker,
    a_set_uid_program_is_no_worker,
    a_set_gid_program_is_no_worker,
    a_program_with_capabilities_is_no_worker,
    a_wrapper_that_gives_capabilities_makes_no_worker,
    a_wrapper_that_gives_groups_makes_no_worker,
    a_wrapper_that_changes_the_user_makes_no_worker,
    a_parent_in_another_pid_namespace_is_none,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");
const MARKER: &str = "OFFPROC_WORKER";
const NOBODY: u32 = 65534;
const REFUSED: i32 = 78;

fn start(command: &mut Command, stdin: impl Into<Stdio>) -> Output {
    command.env(MARKER, "1").stdin(stdin).output().unwrap()
}

fn must_be_refused(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{output:?}");
    assert!(said.contains(MARKER) && said.contains(reason), "{said}");
    assert!(output.stdout.is_empty(), "its main did not run");
}

fn a_terminal_a_file_or_a_network_is_no_parent() {
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: both are variables of ours; the other pointers may be null.
    let opened = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut())
    };
    assert_eq!(opened, 0);
    // SAFETY: just opened, and owned here alone.
    let (_ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    must_be_refused(&start(&mut Command::new(PROGRAM), theirs), "not a private socket");
    must_be_refused(&start(&mut Command::new(PROGRAM), File::open(PROGRAM).unwrap()), "not a private socket");
    let (read, _write) = rustix::pipe::pipe().unwrap();
    must_be_refused(&start(&mut Command::new(PROGRAM), read), "not a private socket");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    must_be_refused(&start(&mut Command::new(PROGRAM), OwnedFd::from(stream)), "not a private socket");
}

fn a_child_that_a_worker_forgot_is_no_worker() {
    let start = |program: String| {
        let output = Command::new(program).stdin(Stdio::inherit()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let started = futures::executor::block_on(run_sync(start, PROGRAM.to_owned()).into_future()).unwrap();
    assert_eq!(started, (Some(0), "main ran\n".to_owned()));
}

/// What the attacker needs.
struct Attack {
    scratch: Scratch,
}

impl Attack {
    /// `None`, and why, where this system cannot give it.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: only root can make programs for an attacker");
            return None;
        }
        let attack = Self { scratch: Scratch::new() };
        fs::set_permissions(attack.scratch.folder(), Permissions::from_mode(0o755)).unwrap();
        attack.copy(PROGRAM, "program", 0o755);
        let flags = rustix::fs::statvfs(attack.scratch.folder()).unwrap().f_flag;
        if flags.contains(rustix::fs::StatVfsMountFlags::NOSUID) {
            println!("SKIPPED: temporary files cannot be set-uid here");
            return None;
        }
        Some(attack)
    }

    /// A copy of a program, of this mode, that all users can run.
    fn copy(&self, program: &str, name: &str, mode: u32) -> String {
        let path = self.scratch.path(name);
        fs::copy(program, &path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// The same with capabilities, where there is a tool for it.
    fn with_capabilities(&self, program: &str, name: &str, capabilities: &str) -> Option<String> {
        let path = self.copy(program, name, 0o755);
        match Command::new("setcap").args([capabilities, &path]).status() {
            Ok(status) if status.success() => Some(path),
            other => {
                println!("SKIPPED: capabilities cannot be given to files here: {other:?}");
                None
            }
        }
    }

    /// `setpriv`, as an installed wrapper; it changes what its options say and keeps the environment.
    fn setpriv() -> Option<&'static str> {
        let found = ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| fs::exists(path).is_ok_and(|it| it));
        if found.is_none() {
            println!("SKIPPED: there is no setpriv");
        }
        found
    }

    /// The attacker starts a command as if it were a worker.
    fn start(&self, command: &[&str]) -> Output {
        let program = self.scratch.path("program");
        let mut attacker = Command::new(&program);
        attacker.arg("attack").args(command).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY).output().unwrap()
    }

    fn program(&self) -> String {
        self.scratch.path("program")
    }
}

fn an_equal_may_have_himself_for_a_worker() {
    let Some(attack) = Attack::new() else { return };
    // The other attacks fail because of their rights, and not because no attack ever works: this one succeeds.
    let output = attack.start(&[&attack.program()]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

fn a_set_uid_program_is_no_worker() {
    let Some(attack) = Attack::new() else { return };
    let program = attack.copy(PROGRAM, "set-uid", 0o4755);
    must_be_refused(&attack.start(&[&program]), "privileged");
}

fn a_set_gid_program_is_no_worker() {
    let Some(attack) = Attack::new() else { return };
    let program = attack.copy(PROGRAM, "set-gid", 0o2755);
    must_be_refused(&attack.start(&[&program]), "privileged");
}

fn a_program_with_capabilities_is_no_worker() {
    let Some(attack) = Attack::new() else { return };
    let Some(program) = attack.with_capabilities(PROGRAM, "capable", "cap_net_raw+ep") else { return };
    must_be_refused(&attack.start(&[&program]), "privileged");
}

fn a_wrapper_that_gives_capabilities_makes_no_worker() {
    let (Some(attack), Some(setpriv)) = (Attack::new(), Attack::setpriv()) else { return };
    let Some(wrapper) = attack.with_capabilities(setpriv, "wrapper", "cap_net_raw+eip") else { return };
    let output = attack.start(&[&wrapper, "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", &attack.program()]);
    must_be_refused(&output, "capabilities that its parent does not have");
}

fn a_wrapper_that_gives_groups_makes_no_worker() {
    let (Some(attack), Some(setpriv)) = (Attack::new(), Attack::setpriv()) else { return };
    let wrapper = attack.copy(setpriv, "wrapper", 0o4755);
    let (program, user) = (attack.program(), NOBODY.to_string());
    let output = attack.start(&[&wrapper, "--reuid", &user, "--regid", "4242", "--clear-groups", &program]);
    must_be_refused(&output, "another group");
    let output = attack.start(&[&wrapper, "--reuid", &user, "--regid", &user, "--groups", "4242", &program]);
    must_be_refused(&output, "groups that its parent is not in");
}

fn a_wrapper_that_changes_the_user_makes_no_worker() {
    let (Some(attack), Some(setpriv)) = (Attack::new(), Attack::setpriv()) else { return };
    let wrapper = attack.copy(setpriv, "wrapper", 0o4755);
    for user in ["0", "4242"] {
        let output = attack.start(&[&wrapper, "--reuid", user, "--clear-groups", &attack.program()]);
        must_be_refused(&output, "another user");
    }
}

fn a_parent_in_another_pid_namespace_is_none() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let output = start(Command::new("unshare").args(["--pid", "--fork", PROGRAM]), OwnedFd::from(theirs));
    if output.status.code() == Some(1) && String::from_utf8_lossy(&output.stderr).starts_with("unshare:") {
        return println!("SKIPPED: no PID namespace can be made here");
    }
    must_be_refused(&output, "cannot be seen from its PID namespace");
}

//! The caller gets the reason, in words, if a worker ends before it can serve.

use offproc_tests::isolated;
use offproc_tests::scratch::Scratch;
use std::os::unix::process::CommandExt;
use std::process::Command;

isolated!(
    a_system_call_that_is_denied,
    a_constructor_that_exits,
    a_constructor_that_crashes,
    a_constructor_that_starts_a_thread,
    a_preloaded_library_that_is_no_more,
    a_program_with_capabilities_of_its_own,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

/// The lines that the program prints about its two calls, and its stderr.
fn run(command: &mut Command) -> (Vec<String>, String) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    (lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The system calls that offproc makes in a worker before its first job, apart from those that no process can start
/// without.
fn a_system_call_that_is_denied() {
    let calls = [
        ("fcntl", libc::SYS_fcntl),
        ("getsockopt", libc::SYS_getsockopt),
        ("getgroups", libc::SYS_getgroups),
        ("capget", libc::SYS_capget),
        ("dup3", libc::SYS_dup3),
        ("rt_sigaction", libc::SYS_rt_sigaction),
        ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
        ("recvmsg", libc::SYS_recvmsg),
        ("prctl", libc::SYS_prctl),
        ("getrusage", libc::SYS_getrusage),
        ("readlink", libc::SYS_readlinkat),
        ("fstatfs", libc::SYS_fstatfs),
        ("statfs", libc::SYS_statfs),
        ("getcwd", libc::SYS_getcwd),
        ("sched_getaffinity", libc::SYS_sched_getaffinity),
        ("waitid", libc::SYS_waitid),
        ("execve", libc::SYS_execve),
        ("pidfd_open", libc::SYS_pidfd_open),
    ];
    let mut failed = 0;
    for (name, number) in calls {
        for error in [libc::EPERM, libc::ENOSYS] {
            let mut program = Command::new(PROGRAM);
            let (lines, stderr) = run(program.args(["call", "deny", &number.to_string(), &error.to_string()]));
            for line in &lines {
                let works = line.ends_with(": ok");
                failed += usize::from(!works);
                let reason = line.split_once(": Spawn: ").map(|(_, reason)| reason);
                assert!(works || reason.is_some(), "{name}: {line}");
                // Without `recvmsg`, the program cannot receive a reason either.
                let has_reason = !line.contains("exited with") && !line.contains("killed");
                assert!(
                    has_reason || name == "recvmsg" && line.contains("its reason was not received"),
                    "{name}: {line}"
                );
            }
            assert!(!stderr.contains("unset it"), "{name}: {stderr}");
        }
    }
    assert!(failed >= 8, "some of them cannot be done without: {failed}");
    // And the reason is the one there is.
    let (lines, _) = run(Command::new(PROGRAM).args(["call", "deny", &libc::SYS_fcntl.to_string(), "1"]));
    for line in lines {
        assert!(line.contains("its descriptors could not be moved (Operation not permitted (os error 1))"), "{line}");
    }
}

/// Runs the program, in whose workers a preloaded library does something; and the name of that library.
fn preloaded(code: &str) -> Option<(Vec<String>, String)> {
    let scratch = Scratch::new();
    let (source, library) = (scratch.path("preloaded.c"), scratch.path("preloaded.so"));
    let source_code = format!(
        "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
         __attribute__((constructor)) static void construct(void) {{ \
         if (getenv(\"OFFPROC_WORKER\")) {{ {code} }} }}\n"
    );
    std::fs::write(&source, source_code).unwrap();
    match Command::new("cc").args(["-shared", "-fPIC", "-o", &library, &source]).status() {
        Ok(status) if status.success() => {}
        other => {
            println!("SKIPPED: no C compiler: {other:?}");
            return None;
        }
    }
    let (lines, _) = run(Command::new(PROGRAM).arg("call").env("LD_PRELOAD", &library));
    Some((lines, library))
}

fn must_name(lines: &[String], library: &str, what: &str) {
    for line in lines {
        assert!(line.contains(": Spawn: ") && line.contains(what), "{line}");
        assert!(line.contains(&format!("LD_PRELOAD adds {library}")), "{line}");
    }
}

fn a_constructor_that_exits() {
    let Some((lines, library)) = preloaded("_exit(3);") else { return };
    must_name(&lines, &library, &format!("exited with code 3 while starting; a constructor of {PROGRAM}"));
}

fn a_constructor_that_crashes() {
    let Some((lines, library)) = preloaded("abort();") else { return };
    must_name(&lines, &library, &format!("killed by SIGABRT while starting; a constructor of {PROGRAM}"));
}

/// The context has no `preload`, and the message does not mention it.
fn a_constructor_that_starts_a_thread() {
    let start = "static pthread_t thread; pthread_create(&thread, 0, (void *(*)(void *))pause, 0);";
    let Some((lines, library)) = preloaded(start) else { return };
    assert_eq!(lines[0], "spawn: ok");
    must_name(&lines[1..], &library, "a fork server must have one thread, and this one has 2: a constructor of");
    assert!(!lines[1].contains("`preload`"), "{}", lines[1]);
}

/// The loader says so on stderr, and goes on.
fn a_preloaded_library_that_is_no_more() {
    let (lines, stderr) = run(Command::new(PROGRAM).arg("call").env("LD_PRELOAD", "/nowhere/preloaded.so"));
    assert_eq!(lines, ["spawn: ok", "fork_server: ok"]);
    assert!(stderr.contains("/nowhere/preloaded.so"), "{stderr}");
}

/// Its workers would be as privileged as it is, whichever process starts them, and no worker may be: offproc refuses
/// before it starts one.
fn a_program_with_capabilities_of_its_own() {
    let scratch = Scratch::new();
    let program = scratch.path("program");
    std::fs::copy(PROGRAM, &program).unwrap();
    rustix::fs::chmod(scratch.folder(), 0o755.into()).unwrap();
    match Command::new("setcap").args(["cap_net_raw+ep", &program]).status() {
        Ok(status) if status.success() => {}
        other => {
            println!("SKIPPED: capabilities cannot be given to files here: {other:?}");
            return;
        }
    }
    // The superuser has them in any case.
    let (lines, stderr) = run(Command::new(&program).arg("call").uid(65534).gid(65534));
    for line in lines {
        assert!(line.contains(": Spawn: ") && line.contains("capabilities"), "{line}");
    }
    assert_eq!(stderr, "");
}

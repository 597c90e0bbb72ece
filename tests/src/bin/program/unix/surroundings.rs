//! Files, rights, system calls, memory and libraries that are not as usual.

use super::workers::worker_type;
use futures::executor::block_on;
use offproc::{WorkerContext, run_sync};
use offproc_tests::job;
use std::time::Duration;

/// Starts a command as if it were a worker of this process; exits as it does.
pub(crate) fn attack(command: &[&str]) {
    // The other end closes at once, so that a process that becomes a worker leaves with code 0.
    let (_, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let status = std::process::Command::new(command[0])
        .args(&command[1..])
        .env("OFFPROC_WORKER", "1")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .status()
        .expect("the command can be started");
    std::process::exit(status.code().unwrap_or(-1));
}

pub(crate) fn without_its_file() {
    std::fs::remove_file(std::env::current_exe().expect("its file")).expect("it may be removed");
    let calls = async { run_sync(|n: u8| n + 1, 1).time_limit(Duration::from_secs(30)).await };
    println!("{}", block_on(calls).expect("a worker"));
}

/// A call with each kind of worker that is started from the executable, after the given arrangements; prints the
/// outcome.
pub(crate) fn call(arrangements: &[&str]) {
    // After a `--` come arguments that are there for the workers to see.
    let mut arrangements = arrangements.split(|word| *word == "--").next().unwrap_or_default().iter();
    while let Some(arrangement) = arrangements.next() {
        let mut next = || *arrangements.next().expect("one more argument");
        match *arrangement {
            "wait" => {
                println!("waits");
                std::io::stdin().read_line(&mut String::new()).expect("stdin");
            }
            "go-to" => std::env::set_current_dir(next()).expect("a directory"),
            "be" => {
                let user = next().parse().expect("a user");
                // SAFETY: an empty list of groups is not looked at.
                assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
                // SAFETY: neither has preconditions.
                assert_eq!(unsafe { (libc::setgid(user), libc::setuid(user)) }, (0, 0));
            }
            "deny" => deny(next().parse().expect("a system call"), next().parse().expect("an error")),
            other => panic!("no arrangement: {other}"),
        }
    }
    for kind in ["spawn", "fork_server"] {
        let context = WorkerContext::builder().worker_type(worker_type(kind)).open().expect("a valid context");
        let arguments = |()| std::env::args().skip(1).collect::<Vec<String>>();
        match block_on(async { context.run_sync(arguments, ()).await }) {
            Ok(seen) if seen == arguments(()) => println!("{kind}: ok"),
            Ok(seen) => println!("{kind}: the worker has other arguments: {seen:?}"),
            Err(offproc::Error::Spawn(e)) => println!("{kind}: Spawn: {e}"),
            Err(e) => println!("{kind}: {e:?}"),
        }
        block_on(async { context.close().await }).expect("a clean end");
    }
}

/// Has a system call fail with this error from here on, in all threads and in what they start.
fn deny(system_call: i64, error: u32) {
    use seccompiler::{SeccompAction, SeccompFilter, apply_filter_all_threads};
    let action = SeccompAction::Errno(error);
    let architecture = std::env::consts::ARCH.try_into().expect("a known architecture");
    let rules = [(system_call, Vec::new())].into_iter().collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture).expect("a filter");
    let filter: seccompiler::BpfProgram = filter.try_into().expect("a program");
    apply_filter_all_threads(&filter).expect("it can be set");
}

/// Loads a library that has offproc in it, as the program itself has, and has it make calls; before the last two, the
/// library calls `offproc::init()`.
pub(crate) fn load(library: &str) {
    println!("main ran");
    let name = std::ffi::CString::new(library).expect("a path");
    // SAFETY: the library does nothing when it is loaded; what is looked up there has that type.
    unsafe {
        let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "the library cannot be loaded");
        let init: extern "C" fn() = std::mem::transmute(libc::dlsym(library, c"environments_init".as_ptr()));
        let call: extern "C" fn(*mut std::ffi::c_char, usize) =
            std::mem::transmute(libc::dlsym(library, c"environments_call".as_ptr()));
        for calls in 0..3 {
            if calls > 0 {
                init();
            }
            let mut said = [0; 4096];
            call(said.as_mut_ptr(), said.len());
            println!("library: {}", std::ffi::CStr::from_ptr(said.as_ptr()).to_string_lossy());
        }
    }
    println!(
        "program: {}",
        block_on(async { run_sync(|n: u8| n + 1, 1).await }).expect("a worker of the program's own")
    );
}

/// A job with each kind of worker that takes more memory than it may, and one that does not.
pub(crate) fn memory() {
    let eat = |enough: usize| {
        let mut all = Vec::new();
        while all.len() < enough {
            all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    };
    for kind in ["spawn", "fork_server"] {
        let context = WorkerContext::builder().worker_type(worker_type(kind)).open().expect("a valid context");
        for enough in [usize::MAX, 1] {
            let call = context.run_sync(eat, enough).memory_limit(128 << 20).time_limit(Duration::from_secs(20));
            match block_on(call) {
                Ok(()) => println!("{kind}: ok"),
                Err(offproc::Error::MemoryExceeded { .. }) => println!("{kind}: exceeded"),
                Err(e) => println!("{kind}: {e}"),
            }
        }
        block_on(async { context.close().await }).expect("a clean end");
    }
}

/// Joins a group with little memory, where one worker dies of a signal, another is killed by the OOM killer, and one
/// more dies of a signal.
pub(crate) fn out_of_memory(group: &str) {
    let eat = |()| {
        let mut all = Vec::new();
        loop {
            all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    };
    let eat: fn(()) = eat;
    let oom_killed = |end: Result<(), offproc::Error>| match end {
        Err(offproc::Error::BrokenWorker(death)) => death.oom_killed(),
        other => panic!("not a broken worker: {other:?}"),
    };
    std::fs::write(format!("{group}/cgroup.procs"), std::process::id().to_string()).expect("it may join");
    block_on(async {
        let first = oom_killed(run_sync(job::raise, libc::SIGKILL).await);
        let second = oom_killed(run_sync(eat, ()).await);
        let third = oom_killed(run_sync(job::raise, libc::SIGKILL).await);
        println!("{first:?} {second:?} {third:?}");
    });
}

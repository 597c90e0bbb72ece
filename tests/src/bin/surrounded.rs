//! A program that makes its surroundings hostile, uses offproc all the same, and writes down what came of it: into the
//! file of its second argument, as its standard streams may be closed. The first argument names the surroundings.

use futures::executor::block_on;
use offproc::{Error, Transport, WorkerContext};
use offproc_tests::job;
use offproc_tests::scratch::append;
use offproc_tests::{Case, Executor, WorkerKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, report] = &arguments[..] else { panic!("two arguments, please") };
    match what.as_str() {
        // By whoever has started us.
        "as-it-is" => everything(report),
        "its-file-replaced" => {
            let file = std::env::current_exe().expect("its file");
            std::fs::remove_file(&file).expect("a file may be removed");
            std::fs::write(&file, "#!/bin/false\n").expect("a file may be written");
            everything(report);
        }
        "without-memfd" => {
            refuse(libc::SYS_memfd_create, libc::ENOSYS);
            everything(report);
        }
        "memfd-forbidden" => {
            refuse(libc::SYS_memfd_create, libc::EPERM);
            everything(report);
        }
        "without-pidfd" => {
            refuse(libc::SYS_pidfd_open, libc::ENOSYS);
            everything(report);
        }
        "sigchld-ignored" => {
            // SAFETY: ignoring a signal installs no code.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
            everything(report);
        }
        "sigchld-handled" => {
            handle_sigchld();
            everything(report);
        }
        "waits-for-all" => {
            std::thread::spawn(wait_for_all);
            everything(report);
        }
        "no-more-processes" => no_more_processes(report),
        other => panic!("no such surroundings: {other}"),
    }
}

/// A call that succeeds, one that dies, and one more, for each kind of worker and transport.
fn everything(report: &str) {
    for kind in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        for transport in [Transport::SharedMemory, Transport::Stream] {
            let builder = Case::new(Executor::FuturesBlockOn, kind).builder().transport(transport);
            let context = builder.start_timeout(Duration::from_secs(120)).open().expect("valid settings");
            let outcomes = [double(&context), die(&context), double(&context)].join(", ");
            let closed = block_on(context.close()).map_or_else(|e| format!("; {e}"), |()| String::new());
            append(report, &format!("{kind:?} {transport:?}: {outcomes}{closed}\n"));
        }
    }
}

fn double(context: &WorkerContext) -> String {
    block_on(async { context.run_sync(|n: u32| 2 * n, 21).await }).map_or_else(|e| e.to_string(), |n| n.to_string())
}

fn die(context: &WorkerContext) -> String {
    match block_on(async { context.run_sync(job::end_at_once, 9).await }) {
        Err(Error::BrokenWorker(_)) => "broken".to_owned(),
        other => format!("{other:?}"),
    }
}

/// From here on, a system call fails in this process and in those it starts.
fn refuse(call: libc::c_long, error: i32) {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, jump, ret) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    let number = u32::try_from(call).expect("a system call");
    let mut filter = [
        // The number of the call is what the data begins with.
        statement(load, 0, 0, 0),
        statement(jump, 0, 1, number),
        statement(ret, 0, 0, libc::SECCOMP_RET_ERRNO | error.cast_unsigned()),
        statement(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel reads the filter during the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

fn handle_sigchld() {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the handler does nothing, and `action` is valid for the call. Without SA_RESTART, so that it interrupts
    // what waits.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        assert_eq!(libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// As some programs do that reap whatever they find.
fn wait_for_all() {
    loop {
        // SAFETY: a null pointer asks for no status.
        if unsafe { libc::wait(std::ptr::null_mut()) } < 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// The user's limit is reached after the first worker.
fn no_more_processes(report: &str) {
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let mut outcomes = vec![double(&context)];
    let limit = getrlimit(Resource::Nproc);
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), ..limit }).expect("less is allowed");
    // The worker that is there goes on; a new one cannot be started.
    outcomes.push(double(&context));
    outcomes.push(die(&context));
    outcomes.push(double(&context));
    setrlimit(Resource::Nproc, limit).expect("as it was");
    outcomes.push(double(&context));
    append(report, &outcomes.join("\n"));
}

//! A program that makes its surroundings hostile, uses offproc all the same, and writes the outcome down: into the file
//! of its second argument, as its standard streams may be closed. The first argument names the surroundings.

use futures::executor::block_on;
use offproc::{Error, SharedBytes, Transport, WorkerContext};
use offproc_tests::job;
use offproc_tests::refusal::refuse;
use offproc_tests::scratch::append;
use offproc_tests::{Case, Executor, WorkerKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, report] = &arguments[..] else { panic!("two arguments, please") };
    match what.as_str() {
        // Our parent has made them.
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
        // A sandbox, or an old kernel, without some of what the shared memory takes.
        "without-eventfd" => {
            refuse(libc::SYS_eventfd2, libc::ENOSYS);
            refuse(libc::SYS_sched_yield, libc::EPERM);
            refuse(libc::SYS_getcpu, libc::ENOSYS);
            refuse(libc::SYS_sched_setaffinity, libc::EPERM);
            everything(report);
        }
        "eventfd-forbidden" => {
            refuse(libc::SYS_eventfd2, libc::EPERM);
            refuse(libc::SYS_prctl, libc::EPERM);
            everything(report);
        }
        // What makes calls faster, or processes easier to recognise.
        "what-helps-missing" | "what-helps-forbidden" => {
            let error = if what == "what-helps-missing" { libc::ENOSYS } else { libc::EPERM };
            for call in [
                libc::SYS_sched_yield,
                libc::SYS_getcpu,
                libc::SYS_sched_getaffinity,
                libc::SYS_sched_setaffinity,
                libc::SYS_setpriority,
                libc::SYS_getpriority,
                libc::SYS_madvise,
                libc::SYS_prctl,
            ] {
                refuse(call, error);
            }
            everything(report);
        }
        "a-fork-of-one-with-shared-bytes" => {
            let bytes = SharedBytes::copy_from_slice(b"bytes").expect("memory");
            // SAFETY: the program has one thread.
            let child = unsafe { libc::fork() };
            if child == 0 {
                everything(report);
                return;
            }
            // SAFETY: a null pointer asks for no status.
            assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
            assert_eq!(*bytes, *b"bytes");
        }
        "its-standard-streams-closed-later" => {
            for fd in 0..=2 {
                // SAFETY: as daemons do; nothing here uses them.
                unsafe { libc::close(fd) };
            }
            let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
            let opened =
                block_on(async { context.run_sync(|()| SharedBytes::copy_from_slice(b"bytes").unwrap(), ()).await });
            let low = (0..=2).filter(|fd| std::fs::exists(format!("/proc/self/fd/{fd}")).unwrap()).count();
            // SAFETY: it only asks.
            let open = (0..=2).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).count();
            append(report, &format!("{opened:?}, {low} {open} of the standard streams are open\n"));
            block_on(context.close()).expect("a clean end");
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

//! The sandbox of the example `untrusted`, with landlock and seccomp: jobs have no files, no network and no processes,
//! and offproc has all that it needs.

#[path = "../../examples/untrusted/sandbox.rs"]
mod sandbox;

use offproc::{Error, Fd, SharedBytes, Transport, WorkerContext};
use offproc_tests::{Case, job, matrix};
use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

matrix!(
    keeps_jobs_from_files_sockets_and_processes,
    leaves_offproc_what_it_needs,
    is_left_in_peace,
    holds_every_thread_of_the_worker,
    needs_no_thread_after_those_of_init,
);

const TRANSPORTS: [Transport; 2] = [Transport::SharedMemory, Transport::Stream];

fn locked(case: Case, transport: Transport) -> WorkerContext {
    let builder = case.builder().sandbox(sandbox::lock_down).transport(transport).env_remove("RUST_BACKTRACE");
    builder.open().unwrap()
}

async fn keeps_jobs_from_files_sockets_and_processes(case: Case) {
    // Each of them works where there is no sandbox.
    let read = |()| File::open("/proc/self/stat").is_ok();
    let write = |()| File::options().write(true).open("/dev/null").is_ok();
    // Refused or not: it has tried.
    let connect = |()| TcpStream::connect("127.0.0.1:9").map_or_else(|_| true, |_| true);
    let bind = |()| std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
    let start = |()| Command::new("/bin/true").status().is_ok();
    let thread = |()| std::thread::Builder::new().spawn(|| ()).is_ok();
    let fork = |()| {
        // SAFETY: the child ends at once.
        match unsafe { libc::fork() } {
            0 => {
                job::end_at_once(0);
                false
            }
            child => child > 0,
        }
    };
    let signal = |()| {
        let parent = rustix::process::getppid().unwrap();
        rustix::process::test_kill_process(parent).is_ok()
    };
    let deeds: [fn(()) -> bool; 8] = [read, write, connect, bind, start, thread, fork, signal];
    let open = case.context();
    for deed in deeds {
        assert!(open.run_sync(deed, ()).await.unwrap());
    }
    open.close().await.unwrap();
    let context = locked(case, Transport::SharedMemory);
    for deed in deeds {
        match context.run_sync(deed, ()).await {
            Err(Error::BrokenWorker(death)) => {
                assert_eq!(death.exit_status().and_then(|status| status.signal()), Some(libc::SIGSYS), "{death}");
            }
            other => panic!("not killed: {other:?}"),
        }
    }
    // A descriptor that sends signals to any process.
    let own = |()| {
        // SAFETY: `fcntl` with these takes numbers.
        unsafe { libc::fcntl(1, libc::F_SETOWN, libc::getppid()) == -1 }
    };
    assert!(context.run_sync(own, ()).await.unwrap());
    context.close().await.unwrap();
}

async fn leaves_offproc_what_it_needs(case: Case) {
    for transport in TRANSPORTS {
        let context = locked(case, transport);
        let large = context.run_sync(|length: usize| "x".repeat(length), 40 << 20).await.unwrap();
        assert_eq!(large.len(), 40 << 20);
        assert_eq!(context.run_sync(|text: String| text.len(), large).await.unwrap(), 40 << 20);
        let bytes = SharedBytes::copy_from_slice(&[7; 100_000]).unwrap();
        let back = context.run_sync(|bytes: SharedBytes| bytes, bytes.clone()).await.unwrap();
        assert_eq!(back, bytes);
        let made = |()| SharedBytes::from_fn(50_000, |bytes| bytes.fill(9)).unwrap();
        assert_eq!(*context.run_sync(made, ()).await.unwrap(), [9; 50_000]);
        let file = Fd(File::open("/proc/self/stat").unwrap());
        let read = |mut file: Fd<File>| {
            let mut text = String::new();
            file.0.read_to_string(&mut text).unwrap();
            (text.len(), file)
        };
        assert!(context.run_sync(read, file).await.unwrap().0 > 0);
        match context.run_sync(|()| -> () { panic!("as anywhere") }, ()).await {
            Err(Error::Panicked(panic)) => assert_eq!(panic.message(), "as anywhere"),
            other => panic!("{other:?}"),
        }
        match context.run_sync(|()| -> () { std::process::abort() }, ()).await {
            Err(Error::BrokenWorker(death)) => {
                assert_eq!(death.exit_status().and_then(|status| status.signal()), Some(libc::SIGABRT));
            }
            other => panic!("{other:?}"),
        }
        context.close().await.unwrap();
    }
}

async fn is_left_in_peace(case: Case) {
    for transport in TRANSPORTS {
        // It goes to sleep, wakes, and leaves by itself, and `close` has nothing to report.
        let builder = case.builder().sandbox(sandbox::lock_down).transport(transport);
        let context = builder.idle_timeout(Duration::from_millis(20)).open().unwrap();
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        offproc_tests::process::must_end(pid);
        context.run_sync(|()| println!("{}", sandbox::description()), ()).await.unwrap();
        context.close().await.unwrap();
    }
}

/// In the portable build that of a lifeline is there before any sandbox, and with it one that writes what jobs print.
const OWN_THREADS: usize = if cfg!(offproc_portable) { 3 } else { 1 };

/// The filter is of the thread that installs it: another thread of ours would be what a job is not to be.
async fn holds_every_thread_of_the_worker(case: Case) {
    for transport in TRANSPORTS {
        let context = locked(case, transport);
        let print = |()| {
            print!("something");
            std::process::id()
        };
        let pid = context.run_sync(print, ()).await.unwrap();
        assert_eq!(context.run_sync(print, ()).await.unwrap(), pid);
        assert_eq!(std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(), OWN_THREADS);
        context.close().await.unwrap();
    }
}

async fn needs_no_thread_after_those_of_init(case: Case) {
    let stays: fn() = || drop(std::thread::spawn(job::sleep));
    let has_ended: fn() = || std::thread::spawn(|| ()).join().unwrap();
    for (init, own) in [(stays, 1), (has_ended, 0)] {
        let context = case.builder().init(init).sandbox(sandbox::lock_down).open().unwrap();
        let pid = context.run_sync(job::pid, ()).await.unwrap();
        context.run_sync(|()| print!("something"), ()).await.unwrap();
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
        // With one of init's goes one that writes out what jobs print, if there is none yet.
        let with_each = if OWN_THREADS > 1 { 1 } else { 2 };
        assert_eq!(std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(), OWN_THREADS + with_each * own);
        context.close().await.unwrap();
    }
}

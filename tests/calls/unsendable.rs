//! What the system refuses to send is an error of that call, at once, and the worker takes the next one.

use futures::executor::block_on;
use offproc::{Error, Fd, Transport, WorkerContext};
use offproc_tests::refusal::refuse;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};

matrix!(an_argument_with_what_cannot_be_passed, a_result_with_what_cannot_be_passed);

isolated!(
    an_argument_that_is_refused,
    a_result_that_is_refused,
    a_hello_that_is_refused_by_an_invalid_argument,
    a_hello_that_is_refused_by_too_many_references,
    a_hello_that_is_refused_by_no_buffers,
);

const TRANSPORTS: [Transport; 2] = [Transport::SharedMemory, Transport::Stream];

/// An io_uring, which the kernel does not pass to another process; `None` where there are none.
fn ring() -> Option<OwnedFd> {
    let mut parameters = [0_u32; 30];
    // SAFETY: the kernel writes to the parameters, which are as large as it takes; the descriptor is a new one.
    unsafe {
        let ring = libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr());
        i32::try_from(ring).ok().filter(|ring| *ring >= 0).map(|ring| OwnedFd::from_raw_fd(ring))
    }
}

async fn an_argument_with_what_cannot_be_passed(case: Case) {
    for transport in TRANSPORTS {
        let context = case.builder().transport(transport).open().unwrap();
        let worker = context.run_sync(job::pid, ()).await.unwrap();
        let Some(ring) = ring() else { return println!("SKIPPED: there is no io_uring") };
        let file = File::open("/dev/null").unwrap();
        let refused = context.run_sync(|_: (Fd<OwnedFd>, Fd<File>)| 0, (Fd(ring), Fd(file))).await;
        let Err(Error::Encode(error)) = refused else { panic!("{transport:?}: {refused:?}") };
        assert!(error.to_string().contains("could not be sent"), "{error}");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
        context.close().await.unwrap();
    }
}

async fn a_result_with_what_cannot_be_passed(case: Case) {
    for transport in TRANSPORTS {
        let context = case.builder().transport(transport).open().unwrap();
        let worker = context.run_sync(job::pid, ()).await.unwrap();
        if ring().is_none() {
            return println!("SKIPPED: there is no io_uring");
        }
        let refused = context.run_sync(|()| Fd(ring().expect("as in the program")), ()).await;
        let Err(Error::Encode(error)) = refused else { panic!("{transport:?}: {refused:?}") };
        assert!(error.to_string().contains("could not be sent"), "{error}");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
        context.close().await.unwrap();
    }
}

fn contexts() -> Vec<WorkerContext> {
    let kinds = [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork];
    let cells = kinds.into_iter().flat_map(|kind| TRANSPORTS.map(|transport| (kind, transport)));
    let open = |(kind, transport)| {
        let builder = Case::new(Executor::FuturesBlockOn, kind).builder();
        builder.transport(transport).open().expect("valid settings")
    };
    cells.map(open).collect()
}

/// Whatever the reason.
fn an_argument_that_is_refused() {
    // Workers start in a sandbox, so that they already have what the program gets later.
    refuse(libc::SYS_acct, libc::EPERM);
    let contexts = contexts();
    let pid = |context: &WorkerContext| block_on(async { context.run_sync(job::pid, ()).await });
    let workers: Vec<u32> = contexts.iter().map(|context| pid(context).unwrap()).collect();
    refuse(libc::SYS_sendmsg, libc::ETOOMANYREFS);
    for (context, worker) in contexts.iter().zip(&workers) {
        for _ in 0..3 {
            let file = File::open("/dev/null").unwrap();
            let refused = block_on(async { context.run_sync(|_: Fd<File>| (), Fd(file)).await });
            let Err(Error::Encode(error)) = refused else { panic!("{refused:?}") };
            assert!(error.to_string().contains("Too many references"), "{error}");
        }
        assert_eq!(pid(context).unwrap(), *worker);
        block_on(context.close()).unwrap();
    }
}

fn a_result_that_is_refused() {
    for context in contexts() {
        let pid = || block_on(async { context.run_sync(job::pid, ()).await }).unwrap();
        let worker = pid();
        block_on(async { context.run_sync(|()| refuse(libc::SYS_sendmsg, libc::ENOBUFS), ()).await }).unwrap();
        for _ in 0..3 {
            let open = |()| Fd(File::open("/dev/null").unwrap());
            let refused = block_on(async { context.run_sync(open, ()).await });
            let Err(Error::Encode(error)) = refused else { panic!("{refused:?}") };
            assert!(error.to_string().contains("No buffer space"), "{error}");
        }
        assert_eq!(pid(), worker);
        block_on(context.close()).unwrap();
    }
}

fn a_hello_that_is_refused_by_an_invalid_argument() {
    refuse_hello(libc::EINVAL);
}

fn a_hello_that_is_refused_by_too_many_references() {
    refuse_hello(libc::ETOOMANYREFS);
}

fn a_hello_that_is_refused_by_no_buffers() {
    refuse_hello(libc::ENOBUFS);
}

fn refuse_hello(reason: i32) {
    refuse(libc::SYS_sendmsg, reason);
    for context in contexts() {
        let start = std::time::Instant::now();
        let refused = block_on(async { context.run_sync(job::pid, ()).await });
        let Err(Error::Spawn(error)) = refused else { panic!("{refused:?}") };
        let words = std::io::Error::from_raw_os_error(reason).to_string();
        assert!(error.to_string().contains(&words), "{error}");
        // Far below the start timeout.
        assert!(start.elapsed() < std::time::Duration::from_secs(15), "{:?}", start.elapsed());
        block_on(context.close()).unwrap();
    }
}

//! Workers with low limits on files, memory and descriptors. They start, run and answer; a job that lacks something
//! gets the system's error, and a call that does gets one error.

use futures::executor::block_on;
use offproc::{Error, Resource, SharedBytes, Transport, WorkerContext, WorkerContextBuilder};
use offproc_tests::portable::is_left_out;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
use rustix::process::{Rlimit, setrlimit};
use serde_bytes::ByteBuf;
use std::fs::File;
use std::time::Duration;

matrix!(
    a_few_descriptors,
    no_descriptors_from_the_sandbox_on,
    no_large_files_from_the_sandbox_on,
    small_files,
    less_memory_than_the_argument_takes,
    memory_that_calls_do_not_fill,
);

isolated!(
    the_program_itself_no_large_files,
    whose_signal_stays_as_the_program_has_it,
    the_program_itself_less_memory_than_the_result_takes,
    little_of_all_else,
);

const TRANSPORTS: [Transport; 2] = [Transport::SharedMemory, Transport::Stream];

fn open(
    case: Case,
    transport: Transport,
    set: impl FnOnce(WorkerContextBuilder) -> WorkerContextBuilder,
) -> WorkerContext {
    set(case.builder().transport(transport)).open().unwrap()
}

fn limit(resource: rustix::process::Resource, most: u64) {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).expect("less is allowed");
}

async fn a_few_descriptors(case: Case) {
    for transport in TRANSPORTS {
        for most in [0, 1, 2, 3, 4, 8] {
            let context = open(case, transport, |builder| builder.resource_limit(Resource::OpenFiles, most));
            let job = |x: u32| (x + 1, File::open("/dev/null").is_err());
            let (answer, is_refused) = context.run_sync(job, 1).await.unwrap();
            assert_eq!((answer, is_refused), (2, most < 4), "{transport:?}, {most}");
            // Over the connection itself and its limits on what is sent at once.
            let large = ByteBuf::from(vec![7; 3 << 20]);
            assert_eq!(context.run_sync(|bytes: ByteBuf| bytes, large.clone()).await.unwrap(), large);
            context.close().await.unwrap();
        }
    }
}

async fn no_descriptors_from_the_sandbox_on(case: Case) {
    for transport in TRANSPORTS {
        for idle in [Duration::from_millis(20), Duration::from_secs(600), Duration::MAX] {
            let context = open(case, transport, |builder| {
                builder.idle_timeout(idle).sandbox(|| limit(rustix::process::Resource::Nofile, 0))
            });
            for x in 0..3 {
                assert_eq!(context.run_sync(|x: u32| x + 1, x).await.unwrap(), x + 1);
            }
            context.close().await.unwrap();
        }
        // A copy needs no descriptor.
        let context =
            open(case, Transport::Stream, |builder| builder.sandbox(|| limit(rustix::process::Resource::Nofile, 0)));
        let bytes = SharedBytes::copy_from_slice(b"bytes").unwrap();
        assert_eq!(context.run_sync(|bytes: SharedBytes| bytes, bytes.clone()).await.unwrap(), bytes);
        context.close().await.unwrap();
    }
}

async fn no_large_files_from_the_sandbox_on(case: Case) {
    for transport in TRANSPORTS {
        let context = open(case, transport, |builder| builder.sandbox(|| limit(rustix::process::Resource::Fsize, 0)));
        let worker = context.run_sync(job::pid, ()).await.unwrap();
        for length in [10, 1 << 20, 40 << 20] {
            let bytes = context.run_sync(|length: usize| ByteBuf::from(vec![7; length]), length).await.unwrap();
            assert_eq!(bytes, vec![7; length]);
            let shared = context.run_sync(|length: usize| SharedBytes::from_fn(length, |b| b.fill(7)).unwrap(), length);
            assert_eq!(*shared.await.unwrap(), vec![7; length][..]);
        }
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
        context.close().await.unwrap();
    }
}

/// Such a job's own file is still the end of it.
async fn small_files(case: Case) {
    for transport in TRANSPORTS {
        let context = open(case, transport, |builder| builder.resource_limit(Resource::FileSize, 1 << 20));
        let worker = context.run_sync(job::pid, ()).await.unwrap();
        let bytes = SharedBytes::from_fn(2 << 20, |bytes| bytes.fill(7)).unwrap();
        let both = |(shared, plain): (SharedBytes, ByteBuf)| *shared == **plain;
        assert!(context.run_sync(both, (bytes.clone(), ByteBuf::from(bytes.to_vec()))).await.unwrap());
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
        let writes = |()| {
            let file = offproc_tests::scratch::unnamed_file();
            rustix::fs::ftruncate(&file, 2 << 20).is_ok()
        };
        assert!(matches!(context.run_sync(writes, ()).await, Err(Error::BrokenWorker(_))));
        let _ = context.close().await;
    }
}

/// One error, no matter what takes the memory: it does not cost worker after worker, and `close` reports none.
async fn less_memory_than_the_argument_takes(case: Case) {
    if case.workers() == WorkerKind::Fork {
        return; // it has the memory of the test already
    }
    if is_left_out("glibc reserves 64 MiB of addresses for a thread, so for that which waits for the lifeline's end") {
        return;
    }
    for transport in TRANSPORTS {
        let context = open(case, transport, |builder| builder.resource_limit(Resource::AddressSpace, 100 << 20));
        let worker = context.run_sync(job::pid, ()).await.unwrap();
        let large = ByteBuf::from(vec![1; 200 << 20]);
        let call = context.run_sync(|bytes: ByteBuf| bytes.len(), large).await;
        let Err(Error::Decode(error)) = call else { panic!("{transport:?}: {call:?}") };
        assert!(error.to_string().contains("no memory"), "{error}");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker, "{transport:?}");
        // A result is as large as the job likes, but there is no room to write it down.
        let large = |()| vec![ByteBuf::from(vec![1; 20 << 20]); 3];
        let call = context.run_sync(large, ()).await;
        let Err(Error::Encode(error)) = call else { panic!("{transport:?}: {call:?}") };
        assert!(error.to_string().contains("no memory"), "{error}");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker, "{transport:?}");
        let shared = SharedBytes::from_fn(200 << 20, |bytes| bytes.fill(1)).unwrap();
        let call = context.run_sync(|bytes: SharedBytes| bytes.len(), shared).await;
        let Err(Error::Decode(error)) = call else { panic!("{transport:?}: {call:?}") };
        assert!(error.to_string().contains("no memory"), "{error}");
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker, "{transport:?}");
        context.close().await.unwrap();
    }
}

/// Idle workers keep 16 MiB each, whatever became of the call, and more for a while where calls use it.
async fn memory_that_calls_do_not_fill(case: Case) {
    struct Fails(bool);

    impl serde::Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            assert!(self.0, "on purpose");
            Err(serde::ser::Error::custom("no"))
        }
    }

    impl<'de> serde::Deserialize<'de> for Fails {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self(true))
        }
    }

    let context = open(case, Transport::SharedMemory, |builder| builder.max_message_size(60 << 20));
    let pieces = || -> Vec<ByteBuf> { (0..2).map(|_| ByteBuf::from(vec![1; 25 << 20])).collect() };
    let few = |what: &str| assert!(memory_files() <= 17 << 20, "{} bytes after {what}", memory_files());
    let all = [pieces(), pieces()];
    let call = context.run_sync(|_: [Vec<ByteBuf>; 2]| (), all).await;
    assert!(matches!(call, Err(Error::Encode(_))), "{call:?}");
    few("an argument above the limit");
    let call = context.run_sync(|_: (Vec<ByteBuf>, Fails)| (), (pieces(), Fails(true))).await;
    assert!(matches!(call, Err(Error::Encode(_))), "{call:?}");
    few("one that fails");
    let mut call = Box::pin(context.run_sync(|_: (Vec<ByteBuf>, Fails)| (), (pieces(), Fails(false))).into_future());
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(&mut call).is_ok()));
    assert!(polled.is_err(), "its panic is the caller's");
    drop(call);
    few("one that panics");
    let call = context.run_sync(|pieces: Vec<ByteBuf>| pieces, pieces()).await;
    assert_eq!(call.unwrap(), pieces());
    for _ in 0..8 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    few("one that went there and back, and small ones");
    let call = context.run_sync(|pieces: Vec<ByteBuf>| [pieces.clone(), pieces], pieces()).await;
    assert!(matches!(call, Err(Error::Encode(_))), "{call:?}");
    few("a result above the limit");
    context.close().await.unwrap();
}

/// What all memory files that the test has open take.
fn memory_files() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir("/proc/self/fd").expect("/proc").flatten().map(|entry| entry.path());
    let is_memory = |file: &std::path::PathBuf| {
        std::fs::read_link(file).is_ok_and(|name| name.to_string_lossy().starts_with("/memfd:"))
    };
    files.filter(is_memory).filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.blocks() * 512).sum()
}

fn the_program_itself_no_large_files() {
    limit(rustix::process::Resource::Core, 0);
    limit(rustix::process::Resource::Fsize, 1 << 20);
    for kind in [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork] {
        for transport in TRANSPORTS {
            let context = open(Case::new(Executor::FuturesBlockOn, kind), transport, |builder| builder);
            for length in [10, 2 << 20] {
                let bytes = ByteBuf::from(vec![7; length]);
                let shared = SharedBytes::copy_from_slice(&bytes).unwrap();
                let back =
                    block_on(async { context.run_sync(|both: (ByteBuf, SharedBytes)| both, (bytes, shared)).await });
                let (bytes, shared) = back.unwrap();
                assert!(bytes.len() == length && *shared == **bytes);
            }
            block_on(context.close()).unwrap();
        }
    }
}

/// Many threads are refused at a time.
fn whose_signal_stays_as_the_program_has_it() {
    extern "C" fn handle(_: libc::c_int) {
        unreachable!("no file of the program's own grew too large");
    }
    let handler = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
    limit(rustix::process::Resource::Fsize, 1 << 20);
    // SAFETY: the handler is of the type that is asked for; the second call asks what is there.
    let has_now = || unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGXFSZ, std::ptr::null(), &raw mut action);
        action.sa_sigaction
    };
    for disposition in [handler, libc::SIG_IGN] {
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGXFSZ, disposition) };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        // Too large for a file: it is in memory of another kind.
                        assert_eq!(SharedBytes::from_fn(2 << 20, |_| ()).unwrap().len(), 2 << 20);
                        assert_eq!(has_now(), disposition);
                    }
                });
            }
        });
    }
}

fn the_program_itself_less_memory_than_the_result_takes() {
    for transport in TRANSPORTS {
        let context = open(Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn), transport, |builder| builder);
        let worker = block_on(async { context.run_sync(job::pid, ()).await }).unwrap();
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
        let before = rustix::process::getrlimit(rustix::process::Resource::As);
        let few = Rlimit { current: Some(pages * 4096 + (100 << 20)), ..before };
        setrlimit(rustix::process::Resource::As, few).unwrap();
        let call = block_on(async { context.run_sync(|()| ByteBuf::from(vec![1; 200 << 20]), ()).await });
        setrlimit(rustix::process::Resource::As, before).unwrap();
        let Err(Error::Decode(error)) = call else { panic!("{transport:?}: {call:?}") };
        assert!(error.to_string().contains("no memory"), "{error}");
        assert_eq!(block_on(async { context.run_sync(job::pid, ()).await }).unwrap(), worker);
        block_on(context.close()).unwrap();
    }
}

fn little_of_all_else() {
    use rustix::process::Resource::{Core, Locks, Memlock, Msgqueue, Nice, Nproc, Rtprio, Sigpending, Stack};
    let lock_down = || {
        for resource in [Core, Locks, Memlock, Msgqueue, Nice, Nproc, Rtprio, Sigpending] {
            limit(resource, 0);
        }
        limit(Stack, 64 << 10);
    };
    for kind in [WorkerKind::Spawn, WorkerKind::ForkServer] {
        for transport in TRANSPORTS {
            let case = Case::new(Executor::FuturesBlockOn, kind);
            let context = open(case, transport, |builder| builder.sandbox(lock_down));
            for x in 0..3 {
                assert_eq!(block_on(async { context.run_sync(|x: u32| x + 1, x).await }).unwrap(), x + 1);
            }
            let panics = |()| -> () { panic!("on purpose") };
            assert!(matches!(block_on(async { context.run_sync(panics, ()).await }), Err(Error::Panicked(_))));
            block_on(context.close()).unwrap();
        }
    }
}

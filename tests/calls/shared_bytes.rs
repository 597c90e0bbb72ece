//! Buffers that are shared, not copied.

use futures::executor::block_on;
#[cfg(unix)]
use offproc::Fd;
use offproc::{Error, SharedBytes, Transport};
use offproc_tests::{Case, Executor, WorkerKind, isolated, job, matrix};
#[cfg(unix)]
use offproc_tests::{portable::is_left_out, process, refusal::refuse, waiting::blocking_until};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[cfg(unix)]
use std::{
    fs::File,
    os::unix::process::CommandExt,
    panic,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

matrix!(keep_their_bytes_in_a_format_within);
#[cfg(unix)]
matrix!(a_descriptor_in_a_format_within_is_an_error);

// A fork of the test has what the test had mapped.
#[cfg(unix)]
matrix!(except fork: are_unmapped_by_an_idle_worker_when_dropped);

isolated!(that_could_not_be_sent_leave_nothing_to_forget, are_copied_over_a_stream);
#[cfg(unix)]
mod memory {
    use super::*;
    isolated!(
        a_fork_of_the_program_does_not_keep_one_from_being_sealed,
        a_fork_made_while_one_is_filled_keeps_what_it_has_there,
        one_dropped_in_a_fork_closes_nothing_of_the_fork,
        are_sealed_while_others_fork,
        are_copied_where_there_are_no_memory_files,
    );
}

/// Serialises to an error, if its field is true.
#[derive(Deserialize)]
struct Unwilling(bool);

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 { Err(serde::ser::Error::custom("not today")) } else { serializer.serialize_bool(false) }
    }
}

/// The list of buffers that a worker is to unmap travels in a message, which has to fit the socket.
fn that_could_not_be_sent_leave_nothing_to_forget() {
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let worker = block_on(context.run_sync(job::pid, ()).into_future()).unwrap();
    let many: Vec<_> = (0..100_u8).map(|n| SharedBytes::copy_from_slice(&[n]).unwrap()).collect();
    let sum = |(many, _): (Vec<SharedBytes>, Unwilling)| many.iter().map(|bytes| u64::from(bytes[0])).sum::<u64>();
    let call = |fails: bool| block_on(context.run_sync(sum, (many.clone(), Unwilling(fails))).into_future());
    // Before the worker has got them, and after.
    for _ in 0..2 {
        for _ in 0..3000 {
            assert!(matches!(call(true), Err(Error::Encode(_))));
        }
        assert_eq!(call(false).unwrap(), 4950);
    }
    assert_eq!(block_on(context.run_sync(job::pid, ()).into_future()).unwrap(), worker);
    block_on(context.close()).unwrap();
}

#[cfg(unix)]
fn a_fork_of_the_program_does_not_keep_one_from_being_sealed() {
    let forks = Case::new(Executor::FuturesBlockOn, WorkerKind::Fork).context();
    let call = || futures::executor::block_on(async { forks.run_sync(job::pid, ()).await });
    // The first one has the program watch its forks.
    call().expect("a worker");
    // Another one, which lives on while the memory is sealed.
    let held = Case::new(Executor::FuturesBlockOn, WorkerKind::Fork).context();
    let bytes = SharedBytes::from_fn(1 << 16, |memory| {
        futures::executor::block_on(async { held.run_sync(job::pid, ()).await }).expect("a worker");
        memory.fill(7);
    });
    assert_eq!(*bytes.expect("it can be sealed"), [7; 1 << 16]);
    for context in [forks, held] {
        futures::executor::block_on(context.close()).expect("a clean end");
    }
}

/// What is being filled is not mapped in the fork, so other memory may be in its place, and another file may have the
/// number of its descriptor. In a program that has not called yet, in one that has, in a job, and in a fork.
#[cfg(unix)]
fn a_fork_made_while_one_is_filled_keeps_what_it_has_there() {
    if is_left_out("private memory is filled there, of which a fork has a copy") {
        return;
    }
    const LENGTH: usize = 1 << 16;

    fn fork_while_filling(ends_in_a_panic: bool) {
        let (mut child, mut place, mut file) = (0, std::ptr::null_mut(), None);
        let fill = |memory: &mut [u8]| {
            // SAFETY: the child allocates, which the C library allows it, and takes no lock of another thread.
            child = unsafe { libc::fork() };
            assert!(child >= 0, "it forks");
            if child > 0 {
                return memory.fill(7);
            }
            place = memory.as_mut_ptr().cast::<u32>();
            let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: nothing is mapped there, or else it fails.
            let mapped = unsafe { libc::mmap(place.cast(), LENGTH, access, flags | libc::MAP_FIXED_NOREPLACE, -1, 0) };
            assert_eq!(mapped, place.cast(), "the place is free in a fork");
            // SAFETY: the name is one of C; sealing is allowed.
            file = Some(unsafe { libc::memfd_create(c"other".as_ptr(), libc::MFD_ALLOW_SEALING) });
            assert!(!ends_in_a_panic, "on purpose");
        };
        let made = panic::catch_unwind(panic::AssertUnwindSafe(|| SharedBytes::from_fn(LENGTH, fill)));
        if child == 0 {
            // SAFETY: it is the child's own memory, unless that was unmapped, which the signal shows.
            unsafe { place.write_volatile(1) };
            // SAFETY: nothing is passed but the number.
            let is_sealed = file.is_none_or(|file| unsafe { libc::fcntl(file, libc::F_GET_SEALS) } != 0);
            let is_made = matches!(made, Ok(Ok(_)));
            // SAFETY: it ends the child.
            unsafe { libc::_exit(i32::from(is_sealed) + 2 * i32::from(is_made)) };
        }
        let mut status = -1;
        // SAFETY: the child is ours, and the status is written to.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the fork has lost what was its own");
        assert_eq!(*made.expect("no panic").expect("it can be sealed"), [7; LENGTH]);
    }

    fn fork_and_fill() {
        for ends_in_a_panic in [false, true] {
            fork_while_filling(ends_in_a_panic);
        }
    }

    fork_and_fill();
    for kind in [WorkerKind::Spawn, WorkerKind::Fork] {
        let context = Case::new(Executor::FuturesBlockOn, kind).context();
        block_on(context.run_sync(|()| fork_and_fill(), ()).into_future()).unwrap();
        fork_and_fill();
        block_on(context.close()).unwrap();
    }
}

/// What a fork has inherited is closed there, and its number may be that of one of the fork's own.
#[cfg(unix)]
fn one_dropped_in_a_fork_closes_nothing_of_the_fork() {
    if is_left_out("there is no file behind one") {
        return;
    }
    const LENGTH: usize = 1 << 16;
    const OWN: usize = 64;
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    // From here on, forks close what they have inherited.
    block_on(context.run_sync(job::pid, ()).into_future()).unwrap();
    let inherited = SharedBytes::from_fn(LENGTH, |memory| memory.fill(1)).unwrap();
    // SAFETY: the child allocates, which the C library allows it, and takes no lock of another thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let files = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let before = files();
        // As many as there are numbers of closed ones.
        let own: Vec<_> = (0..OWN).map(|_| SharedBytes::from_fn(LENGTH, |memory| memory.fill(2))).collect();
        let opened = files();
        drop(inherited);
        let is_kept = opened == before + OWN && files() == opened && own.iter().all(Result::is_ok);
        drop(own);
        // SAFETY: it ends the child.
        unsafe { libc::_exit(i32::from(!is_kept || files() != before)) };
    }
    let mut status = -1;
    // SAFETY: the child is ours, and the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the fork has lost what was its own, or kept it");
    drop(inherited);
    block_on(context.close()).unwrap();
}

/// Two formats in one: postcard in what offproc sends.
#[derive(Debug)]
struct Packed(Vec<u8>, Option<Inner>);

#[derive(Debug, Serialize, Deserialize)]
struct Inner {
    id: u32,
    bytes: SharedBytes,
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.1 {
            Some(inner) => {
                serializer.serialize_bytes(&postcard::to_allocvec(inner).map_err(serde::ser::Error::custom)?)
            }
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec();
        let inner = postcard::from_bytes(&bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes, Some(inner)))
    }
}

fn inner(bytes: &[u8]) -> Inner {
    Inner { id: 7, bytes: SharedBytes::copy_from_slice(bytes).unwrap() }
}

/// Packed in the call, and before it; unpacked in the call, after it, and in another.
async fn keep_their_bytes_in_a_format_within(case: Case) {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let context = case.builder().transport(transport).open().unwrap();
        let shared = SharedBytes::copy_from_slice(b"a neighbour").unwrap();
        let read = |(shared, Packed(packed, inner)): (SharedBytes, Packed)| {
            assert_eq!(*shared, *b"a neighbour");
            let again: Inner = postcard::from_bytes(&packed).expect("unpacked after the argument was read");
            let inner = inner.expect("unpacked as the argument was read");
            assert_eq!((again.id, inner.id), (7, 7));
            // One that is lent, and one within.
            (again.bytes.to_vec(), Packed(Vec::new(), Some(inner)), shared)
        };
        let now = Packed(Vec::new(), Some(inner(b"hello")));
        let (again, Packed(kept, back), neighbour) = context.run_sync(read, (shared.clone(), now)).await.unwrap();
        assert_eq!(
            (&again[..], &*back.unwrap().bytes, &*neighbour),
            (&b"hello"[..], &b"hello"[..], &b"a neighbour"[..])
        );
        let before = Packed(postcard::to_allocvec(&inner(b"before")).unwrap(), None);
        let (again, ..) = context.run_sync(read, (shared.clone(), before)).await.unwrap();
        assert_eq!(again, b"before");
        let (again, ..) = context.run_sync(read, (shared.clone(), Packed(kept, None))).await.unwrap();
        assert_eq!(again, b"hello");
        context.close().await.unwrap();
    }
    // Outside a call they are plain bytes.
    let plain = serde_bytes::ByteBuf::from(b"hello");
    assert_eq!(postcard::to_allocvec(&inner(b"hello").bytes).unwrap(), postcard::to_allocvec(&plain).unwrap());
}

/// A number of a descriptor would mean another one, or none, wherever it is read.
#[cfg(unix)]
async fn a_descriptor_in_a_format_within_is_an_error(case: Case) {
    #[derive(Debug)]
    struct Hidden(Option<Fd<File>>);

    impl Serialize for Hidden {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let file = self.0.as_ref().expect("a file");
            serializer.serialize_bytes(&postcard::to_allocvec(file).map_err(serde::ser::Error::custom)?)
        }
    }

    impl<'de> Deserialize<'de> for Hidden {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            serde_bytes::ByteBuf::deserialize(deserializer).map(|_| Self(None))
        }
    }

    let context = case.context();
    let file = || Fd(File::open("/dev/null").unwrap());
    let call = context.run_sync(|_: (Fd<File>, Hidden)| (), (file(), Hidden(Some(file())))).await;
    let Err(Error::Encode(error)) = call else { panic!("{call:?}") };
    assert!(error.to_string().contains("another format"), "{error}");
    context.close().await.unwrap();
}

/// In a program that has not called yet, and in a job.
#[cfg(unix)]
fn are_sealed_while_others_fork() {
    fn make_while_others_fork(count: usize) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let forks = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut command = Command::new("/bin/true");
                    // SAFETY: it does nothing; with it, the process is forked.
                    unsafe { command.pre_exec(|| Ok(())) };
                    command.status().expect("a process");
                }
            });
            let made = (0..count).find_map(|_| SharedBytes::copy_from_slice(b"bytes").err());
            is_over.store(true, Ordering::Relaxed);
            forks.join().expect("it forks");
            assert!(made.is_none(), "{made:?}");
        });
    }
    make_while_others_fork(20_000);
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    block_on(async { context.run_sync(make_while_others_fork, 20_000).await }).unwrap();
    block_on(context.close()).unwrap();
}

/// Those of sealed memory that a process has mapped, in bytes.
#[cfg(unix)]
fn mapped(pid: u32) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it lives");
    let sealed = maps.lines().filter(|line| line.contains(" r--s ") && line.contains("/memfd:"));
    let ranges = sealed.filter_map(|line| line.split_once(' ')?.0.split_once('-'));
    let number = |text: &str| usize::from_str_radix(text, 16).expect("a number");
    ranges.map(|(from, to)| number(to) - number(from)).sum()
}

/// The worker is idle, asleep or not, and gets no other call.
#[cfg(unix)]
async fn are_unmapped_by_an_idle_worker_when_dropped(case: Case) {
    if is_left_out("it shares no memory") {
        return;
    }
    const LENGTH: usize = 1 << 20;
    for spin in [Duration::ZERO, Duration::from_millis(5)] {
        let context = case.builder().transport(Transport::SharedMemory).max_spin(spin).open().unwrap();
        let fresh = || SharedBytes::from_fn(LENGTH, |bytes| bytes.fill(1)).unwrap();
        let [kept, dropped, failed] = [fresh(), fresh(), fresh()];
        let look = |bytes: Vec<SharedBytes>| (std::process::id(), bytes.iter().map(|bytes| bytes.len()).sum::<usize>());
        let (worker, _) = context.run_sync(look, vec![kept.clone(), dropped.clone()]).await.unwrap();
        let fails = |_: SharedBytes| -> () { panic!("on purpose") };
        assert!(matches!(context.run_sync(fails, failed.clone()).await, Err(Error::Panicked(_))));
        assert!(mapped(worker) >= 2 * LENGTH);
        blocking_until(|| process::is_asleep(worker), || "it does not go to sleep".to_owned());
        drop((dropped, failed));
        blocking_until(|| mapped(worker) == LENGTH, || format!("{} bytes are still mapped", mapped(worker)));
        // Again and again, and the other one is there all the time.
        for _ in 0..200 {
            let one = fresh();
            let (pid, length) = context.run_sync(look, vec![one.clone(), kept.clone()]).await.unwrap();
            assert_eq!((pid, length), (worker, 2 * LENGTH));
        }
        blocking_until(|| mapped(worker) == LENGTH, || format!("{} bytes are still mapped", mapped(worker)));
        drop(kept);
        blocking_until(|| mapped(worker) == 0, || format!("{} bytes are still mapped", mapped(worker)));
        assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker);
        context.close().await.unwrap();
    }
}

/// Where there are no memory files, they are made of private memory, and copied.
#[cfg(unix)]
fn are_copied_where_there_are_no_memory_files() {
    refuse(libc::SYS_memfd_create, libc::ENOSYS);
    let bytes = SharedBytes::copy_from_slice(b"bytes").unwrap();
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let builder = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).builder();
        let context = builder.transport(transport).open().unwrap();
        let result = block_on(async { context.run_sync(twice, bytes.clone()).await }).unwrap();
        assert_eq!(*result, *b"bytesbytes");
        block_on(context.close()).unwrap();
    }
}

/// And come back the same.
fn are_copied_over_a_stream() {
    let builder = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).builder();
    let context = builder.transport(Transport::Stream).open().unwrap();
    for length in [0, 1, 64, 4096, 5 << 20] {
        let bytes = SharedBytes::from_fn(length, |bytes| bytes.fill(3)).unwrap();
        let result = block_on(async { context.run_sync(twice, bytes.clone()).await }).unwrap();
        assert_eq!(*result, *bytes.repeat(2));
        assert_eq!(result.as_ptr().align_offset(64), 0);
    }
    block_on(context.close()).unwrap();
}

fn twice(bytes: SharedBytes) -> SharedBytes {
    SharedBytes::copy_from_slice(&bytes.repeat(2)).unwrap()
}

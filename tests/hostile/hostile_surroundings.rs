//! In surroundings that lack something, or in which the program itself interferes, calls work, or end with an error
//! that says why.

use futures::FutureExt;
use futures::executor::block_on;
use futures::task::noop_waker_ref;
use offproc_tests::portable::is_left_out;
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::File;
use std::io::{Error, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

isolated!(
    a_fork_that_holds_a_call,
    a_fork_while_a_limiter_is_locked,
    a_fork_while_statistics_are_read,
    its_standard_streams_closed,
    its_standard_streams_closed_later,
    a_fork_of_one_with_shared_bytes,
    without_eventfd,
    eventfd_forbidden,
    without_what_only_helps,
    its_output_a_broken_pipe,
    its_file_replaced,
    without_memfd,
    memfd_forbidden,
    without_pidfd,
    without_proc,
    without_proc_memory_is_not_limited_in_silence,
    proc_of_another_namespace,
    proc_that_hides_others,
    sigchld_ignored,
    sigchld_handled,
    a_thread_that_waits_for_all_children,
    no_more_processes,
);

/// Where every kind of worker works over both transports.
const WORKS: &str = "\
Spawn SharedMemory: 42, broken, 42
Spawn Stream: 42, broken, 42
ForkServer SharedMemory: 42, broken, 42
ForkServer Stream: 42, broken, 42
Fork SharedMemory: 42, broken, 42
Fork Stream: 42, broken, 42
";

/// Runs the program with `arrange` run between fork and exec, and gives its report.
fn report(what: &str, arrange: fn() -> Result<(), Error>) -> String {
    let scratch = Scratch::new();
    let file = scratch.path("report");
    let mut program = program(&scratch, what, &file);
    // SAFETY: the functions given make system calls only.
    unsafe { program.pre_exec(arrange) };
    let output = program.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    trace(&file)
}

/// A copy that may be replaced.
fn program(scratch: &Scratch, what: &str, report: &str) -> Command {
    let copy = scratch.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_surrounded"), &copy).expect("a copy");
    let mut program = Command::new(copy);
    program.args([what, report]).stdin(Stdio::null());
    program
}

fn its_standard_streams_closed() {
    let close = || {
        for fd in 0..=2 {
            // SAFETY: nothing in this process, which is about to exec, uses them any more.
            unsafe { libc::close(fd) };
        }
        Ok(())
    };
    assert_eq!(report("as-it-is", close), WORKS);
}

/// std opens something in the place of what is closed before `main`, but not later.
fn its_standard_streams_closed_later() {
    let low = "Ok(SharedBytes(5 bytes)), 0 0 of the standard streams are open\n";
    assert_eq!(report("its-standard-streams-closed-later", || Ok(())), format!("{low}{WORKS}"));
}

/// It has had no workers, so the fork may have some.
fn a_fork_of_one_with_shared_bytes() {
    assert_eq!(report("a-fork-of-one-with-shared-bytes", || Ok(())), WORKS);
}

fn without_eventfd() {
    assert_eq!(report("without-eventfd", || Ok(())), WORKS);
}

fn eventfd_forbidden() {
    assert_eq!(report("eventfd-forbidden", || Ok(())), WORKS);
}

/// Over shared memory, too.
fn without_what_only_helps() {
    for what in ["what-helps-missing", "what-helps-forbidden"] {
        assert_eq!(report(what, || Ok(())), WORKS, "{what}");
    }
}

fn its_output_a_broken_pipe() {
    let scratch = Scratch::new();
    let file = scratch.path("report");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut program = program(&scratch, "as-it-is", &file);
    let status = program.stdout(writer.try_clone().unwrap()).stderr(writer).status().expect("the program starts");
    assert!(status.success());
    assert_eq!(trace(&file), WORKS);
}

fn its_file_replaced() {
    assert_eq!(report("its-file-replaced", || Ok(())), WORKS);
}

fn without_memfd() {
    assert_eq!(report("without-memfd", || Ok(())), WORKS);
}

fn memfd_forbidden() {
    assert_eq!(report("memfd-forbidden", || Ok(())), WORKS);
}

fn without_pidfd() {
    if is_left_out("it has no pidfds anyhow") {
        return;
    }
    for line in report("without-pidfd", || Ok(())).lines() {
        assert!(line.contains("could not be started") && line.contains("pidfd_open"), "{line}");
    }
}

fn without_proc() {
    let unmount_proc = || {
        // SAFETY: this process, which is about to exec, has one thread.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
        rustix::mount::mount_change(
            "/",
            rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC,
        )?;
        unmount("/proc", UnmountFlags::DETACH)?;
        Ok(())
    };
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can do without /proc");
        return;
    }
    assert_eq!(report("as-it-is", unmount_proc), WORKS);
}

/// What the program says of jobs with a limit on their memory, started by a script as `$0`.
fn memory(script: &str) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root has namespaces of its own");
        return None;
    }
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = scratch.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_program"), &copy).unwrap();
    let output = Command::new("sh").args(["-c", script, &copy]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    if said.is_empty() && String::from_utf8_lossy(&output.stderr).contains("unshare") {
        println!("SKIPPED: no such namespace can be made here");
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(said)
}

const LIMITED: &str = "spawn: exceeded\nspawn: ok\nfork_server: exceeded\nfork_server: ok\n";

fn without_proc_memory_is_not_limited_in_silence() {
    let Some(said) = memory("unshare --mount sh -c 'umount -l /proc && exec \"$0\" memory' \"$0\"") else { return };
    assert_eq!(said.lines().count(), 4, "{said}");
    for line in said.lines() {
        assert!(line.contains("the memory of a worker cannot be limited, as `/proc` does not show it"), "{line}");
    }
}

/// There, the number that the program knows its worker by is that of a process of the kernel's.
fn proc_of_another_namespace() {
    if is_left_out("only a pidfd says which number a process has in another's `/proc`") {
        return;
    }
    let Some(said) = memory("unshare --pid --fork \"$0\" memory") else { return };
    assert_eq!(said, LIMITED);
}

/// A user sees processes of that user alone, which workers are.
fn proc_that_hides_others() {
    let script = "unshare --pid --fork --mount-proc sh -c \
                  'mount -o remount,hidepid=2 /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" \
                  memory' \"$0\"";
    let Some(said) = memory(script) else { return };
    assert_eq!(said, LIMITED);
}

fn sigchld_ignored() {
    assert_eq!(report("sigchld-ignored", || Ok(())), WORKS);
}

fn sigchld_handled() {
    assert_eq!(report("sigchld-handled", || Ok(())), WORKS);
}

fn a_thread_that_waits_for_all_children() {
    assert_eq!(report("waits-for-all", || Ok(())), WORKS);
}

fn no_more_processes() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can become a user without other processes");
        return;
    }
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let file = scratch.path("report");
    let mut program = program(&scratch, "no-more-processes", &file);
    // A user with no other process.
    let output = program.uid(64_123).gid(64_123).output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let mut report = String::new();
    File::open(&file).unwrap().read_to_string(&mut report).unwrap();
    let [first, cached, death, refused, again] = report.lines().collect::<Vec<_>>()[..] else { panic!("{report}") };
    assert_eq!([first, cached, death, again], ["42", "42", "broken", "42"], "{report}");
    assert!(refused.contains("could not be started") && refused.contains("temporarily unavailable"), "{refused}");
}

/// A fork of the program has none of the memory that a worker and the program share.
fn a_fork_that_holds_a_call() {
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut call = context.run_sync(job::work, argument).kill_on_cancel(true).into_future();
    block_on(drive_until(&mut call, arrivals.next()));
    in_a_fork(|| {
        let polled = call.poll_unpin(&mut Context::from_waker(noop_waker_ref()));
        assert!(matches!(polled, Poll::Ready(Err(offproc::Error::BrokenWorker(_)))), "{polled:?}");
    });
    in_a_fork(|| {
        // In the place of what is not there, among others.
        let mut mappings: Vec<_> = (0..64).map(|_| map_64_kib()).collect();
        // SAFETY: this process ends without dropping it again.
        unsafe { std::ptr::drop_in_place(&raw mut call) };
        mappings.iter_mut().for_each(|mapping| mapping.fill(7));
    });
    gate.admit_one();
    block_on(call).expect("neither has harmed the worker");
    block_on(context.close()).expect("a clean end");
}

/// What another thread has locked at a fork stays locked there.
fn a_fork_while_a_limiter_is_locked() {
    /// Its clone, which is made under the lock, takes as long as the fork.
    struct Slow(Barrier, Barrier);
    const VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());
    fn clone(slow: *const ()) -> RawWaker {
        // SAFETY: every such waker is made of a reference to what lives as long as the program.
        let slow = unsafe { &*slow.cast::<Slow>() };
        slow.0.wait();
        slow.1.wait();
        RawWaker::new(std::ptr::null(), &NOTHING)
    }
    const NOTHING: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(std::ptr::null(), &NOTHING), |_| (), |_| (), |_| ());
    let slow: &'static Slow = Box::leak(Box::new(Slow(Barrier::new(2), Barrier::new(2))));

    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let limiter = offproc::Limiter::new(2);
    let mut permit = limiter.try_acquire();
    let calls = |_| {
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        context.run_sync(job::work, argument).limiter(&limiter)
    };
    let [mut runs, mut polled, mut waits] = [0, 1, 2].map(calls);
    block_on(drive_until(&mut runs, arrivals.next()));
    let mut cx = Context::from_waker(noop_waker_ref());
    assert!(polled.poll_unpin(&mut cx).is_pending() && waits.poll_unpin(&mut cx).is_pending());
    let mut queued = Box::pin(limiter.acquire());
    assert!(queued.poll_unpin(&mut cx).is_pending());
    std::thread::scope(|threads| {
        let other = limiter.clone();
        threads.spawn(move || {
            // SAFETY: as `clone` wants it.
            let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::from_ref(slow).cast(), &VTABLE)) };
            let waiting = std::pin::pin!(other.acquire());
            assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
        });
        slow.0.wait();
        in_a_fork(|| {
            // SAFETY: it ends this process, which would otherwise wait for ever.
            unsafe { libc::alarm(10) };
            assert!(matches!(runs.poll_unpin(&mut cx), Poll::Ready(Err(offproc::Error::BrokenWorker(_)))));
            assert!(matches!(polled.poll_unpin(&mut cx), Poll::Ready(Err(offproc::Error::Spawn(_)))));
            // SAFETY: this process ends without dropping them again.
            unsafe { std::ptr::drop_in_place(&raw mut waits) };
            // SAFETY: as above.
            unsafe { std::ptr::drop_in_place(&raw mut queued) };
            // SAFETY: as above.
            unsafe { std::ptr::drop_in_place(&raw mut permit) };
        });
        in_a_fork(|| {
            // SAFETY: as above.
            unsafe { libc::alarm(10) };
            // SAFETY: as above.
            unsafe { std::ptr::drop_in_place(&raw mut runs) };
        });
        slow.1.wait();
    });
    drop((queued, permit));
    [0; 3].iter().for_each(|_| gate.admit_one());
    let all = block_on(async { futures::join!(runs, polled, waits) });
    assert!(matches!(all, (Ok(_), Ok(_), Ok(_))), "{all:?}");
    block_on(context.close()).expect("a clean end");
}

fn a_fork_while_statistics_are_read() {
    let context = Case::new(Executor::FuturesBlockOn, WorkerKind::Spawn).context();
    context.run_sync(job::pid, ()).wait().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = context.statistics();
            }
        });
        for _ in 0..20 {
            in_a_fork(|| {
                // SAFETY: it ends this process, which would otherwise wait for ever.
                unsafe { libc::alarm(10) };
                let now = context.statistics();
                assert_eq!((now.calls, now.started, now.idle_workers, context.is_closed()), (1, 1, 0, true));
            });
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(!context.is_closed());
    context.close().wait().unwrap();
}

fn map_64_kib() -> &'static mut [u8] {
    const LENGTH: usize = 64 << 10;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice, that stays for the life of the process.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(std::ptr::null_mut(), LENGTH, access, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        std::slice::from_raw_parts_mut(start.cast(), LENGTH)
    }
}

/// Does something in a fork of the test, which must end well.
fn in_a_fork(work: impl FnOnce()) {
    // SAFETY: the child uses the allocator and the call, and nothing that the background thread, which sleeps, may
    // hold.
    match unsafe { libc::fork() } {
        0 => {
            let is_well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(i32::from(!is_well)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the status is written to a place for it.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the fork's status as `waitpid` has it");
        }
    }
}

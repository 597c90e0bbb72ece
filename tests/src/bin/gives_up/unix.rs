//! A program that gives up rights, or gets others, after its first call: by the way that its second argument names,
//! with the kind of worker of its first. Its third says what is under way meanwhile. It prints the results.

use futures::executor::block_on;
use offproc::WorkerContext;
use offproc_tests::process::{is_asleep, must_end};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{blocking_until, drive_until};
use offproc_tests::{Case, Executor, WorkerKind, job};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities, set_no_new_privs};
use std::time::Duration;

const NOBODY: u32 = 65534;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, kind, way, what] = &arguments[..] else { panic!("three arguments, please") };
    let kind = match kind.as_str() {
        "spawn" => WorkerKind::Spawn,
        "fork_server" => WorkerKind::ForkServer,
        "fork" => WorkerKind::Fork,
        other => panic!("no kind of worker: {other}"),
    };
    let mut builder = Case::new(Executor::FuturesBlockOn, kind).builder().grace_period(Duration::from_millis(200));
    if what == "at-once" {
        builder = builder.max_spin(Duration::from_secs(3600));
    }
    let context = builder.open().expect("valid settings");
    match what.as_str() {
        "nothing" => idle(&context, way),
        "at-once" => awake(&context, way),
        "a-job" => busy(&context, way),
        "a-killed-job" => killed(&context, way),
        "a-close" => overstays(&context, way),
        other => panic!("nothing like that: {other}"),
    }
}

/// Users, groups and the root directory of the process that this runs in.
fn rights(_: ()) -> (Vec<u32>, Vec<u32>, Vec<u32>, u64) {
    let (mut users, mut groups) = ([0; 3], [0; 3]);
    let [a, b, c] = &mut users;
    // SAFETY: places for numbers.
    unsafe { libc::getresuid(a, b, c) };
    let [a, b, c] = &mut groups;
    // SAFETY: as above.
    unsafe { libc::getresgid(a, b, c) };
    let others = rustix::process::getgroups().expect("groups").into_iter().map(|group| group.as_raw()).collect();
    (users.to_vec(), groups.to_vec(), others, rustix::fs::stat("/").expect("a root").st_ino)
}

fn change(way: &str) {
    let done = |result: i32| assert_eq!(result, 0, "{way}: {}", std::io::Error::last_os_error());
    // SAFETY: calls that take numbers and strings, and groups that may be none.
    unsafe {
        match way {
            "user" => {
                done(libc::setgroups(0, std::ptr::null()));
                done(libc::setgid(NOBODY));
                done(libc::setuid(NOBODY));
            }
            "group" => done(libc::setgid(NOBODY)),
            "groups" => done(libc::setgroups(1, [NOBODY].as_ptr())),
            "effective-user" => done(libc::setresuid(0, NOBODY, 0)),
            "root-directory" => done(libc::chroot(c"/usr".as_ptr())),
            "capabilities" => {
                let mut sets = capabilities(None).expect("capabilities");
                sets.effective.remove(CapabilitySet::SYS_TIME);
                set_capabilities(None, sets).expect("less is allowed");
            }
            "no-new-privileges" => set_no_new_privs(true).expect("less is allowed"),
            other => panic!("no way: {other}"),
        }
    }
}

fn call<R>(context: &WorkerContext, f: fn(()) -> R) -> Result<R, offproc::Error>
where
    R: serde::Serialize + serde::de::DeserializeOwned,
{
    block_on(async { context.run_sync(f, ()).await })
}

/// The worker of a call, which sleeps; where there is no `/proc` to see that, of one call of many.
fn sleeping_worker(context: &WorkerContext) -> u32 {
    let worker = call(context, job::pid).expect("a call");
    if !std::path::Path::new("/proc/self").exists() {
        return (0..1024).fold(worker, |_, _| call(context, job::pid).expect("a call"));
    }
    blocking_until(|| is_asleep(worker), || format!("worker {worker} does not sleep"));
    worker
}

fn idle(context: &WorkerContext, way: &str) {
    let first = sleeping_worker(context);
    change(way);
    let second = sleeping_worker(context);
    assert_eq!(call(context, rights).expect("a call"), rights(()), "as the program is");
    assert_ne!(second, first);
    must_end(first);
    if way == "effective-user" {
        assert_eq!(sleeping_worker(context), second);
        // And up again.
        // SAFETY: numbers.
        assert_eq!(unsafe { libc::setresuid(0, 0, 0) }, 0);
        let third = sleeping_worker(context);
        assert_eq!(call(context, rights).expect("a call"), rights(()), "as the program is again");
        assert_ne!(third, second);
    }
    let last = sleeping_worker(context);
    assert_eq!(call(context, job::pid).expect("a call"), last, "one that is as the program is stays");
    println!("{:?}", block_on(context.close()).map_err(|e| e.to_string()));
}

/// A worker that has just had its first job, and does not sleep.
fn awake(context: &WorkerContext, way: &str) {
    let first = call(context, job::pid).expect("a call");
    change(way);
    assert_eq!(call(context, rights).expect("a call"), rights(()), "as the program is");
    let second = call(context, job::pid).expect("a call");
    assert_ne!(second, first);
    must_end(first);
    println!("{:?}", block_on(context.close()).map_err(|e| e.to_string()));
}

/// A job that runs goes on, and its end is reported.
fn busy(context: &WorkerContext, way: &str) {
    let scratch = Scratch::new();
    let two = offproc::Limiter::new(2);
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut running = context.run_sync(job::work, argument).limiter(&two);
    let worker = block_on(drive_until(&mut running, arrivals.next()));
    change(way);
    let other = block_on(async { context.run_sync(job::pid, ()).limiter(&two).await }).expect("a call");
    assert_ne!(other, worker);
    gate.admit_one();
    block_on(running).expect("it was there before");
    println!("{:?}", block_on(context.close()).map_err(|e| e.to_string()));
}

/// A worker that the program has no right to signal any more is killed all the same.
fn killed(context: &WorkerContext, way: &str) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let call = || context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
    let mut dropped = call().kill_on_cancel(true);
    let first = block_on(drive_until(&mut dropped, arrivals.next()));
    let limiter = offproc::Limiter::new(2);
    let mut limited = call().limiter(&limiter).time_limit(Duration::from_millis(500));
    let second = block_on(drive_until(&mut limited, arrivals.next()));
    change(way);
    drop(dropped);
    must_end(first);
    assert!(matches!(block_on(limited), Err(offproc::Error::TimedOut)));
    must_end(second);
    println!("{:?}", block_on(context.close()).map_err(|e| e.to_string()));
}

/// A worker that does not leave is killed past the grace period.
fn overstays(context: &WorkerContext, way: &str) {
    extern "C" fn overstay() {
        job::sleep();
    }
    let worker = block_on(async {
        // SAFETY: `overstay` is a function of the right type, and does not unwind.
        let overstays = |()| assert_eq!(unsafe { libc::atexit(overstay) }, 0);
        context.run_sync(overstays, ()).await.expect("a call");
        context.run_sync(job::pid, ()).await.expect("a call")
    });
    change(way);
    let error = block_on(context.close()).expect_err("it overstays");
    must_end(worker);
    println!("{}", error.pid() == worker);
}

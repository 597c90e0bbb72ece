//! The fork server: it forks workers, one of them ahead, and its own death costs no call anything.

use futures::future::join;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::process::{Family, is_reaped, kill, must_end, name, send};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, trace};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, job, matrix};
use rustix::process::Signal;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

matrix!(only fork_server:
    forks_one_worker_ahead_and_ends_it_at_close,
    forks_after_preload_and_once_it_has_run,
    prints_once_what_preload_prints_by_way_of_c,
    that_dies_idle_is_replaced,
    that_dies_takes_no_running_job_along,
    that_dies_with_a_request_in_its_hands_is_replaced,
    that_is_stopped_keeps_no_spare_from_serving,
    that_is_stopped_hides_no_end,
    that_does_not_leave_is_killed_at_close,
    whose_preload_fails_is_reported_and_tried_again,
);

/// The one fork server there is.
fn server() -> u32 {
    match Family::now().fork_servers()[..] {
        [server] => server,
        ref servers => panic!("not one fork server: {servers:?}"),
    }
}

/// Waits until there is a worker ahead of need.
async fn spare() -> u32 {
    until("there is one spare", || Family::now().named("offproc-spare").len() == 1).await;
    Family::now().named("offproc-spare")[0]
}

async fn forks_one_worker_ahead_and_ends_it_at_close(case: Case) {
    let context = case.context();
    let two = Limiter::new(2);
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let wait = |trace: &str| {
        context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), scratch.path(trace))).limiter(&two).into_future()
    };
    let mut first = wait("first");
    let one = drive_until(&mut first, arrivals.next()).await;
    let ahead = spare().await;
    let statistics = context.statistics();
    let counted = (statistics.running_workers, statistics.idle_workers, statistics.starting_workers);
    assert_eq!(counted, (1, 0, 0), "it is not yet a worker");
    let mut second = wait("second");
    assert_eq!(drive_until(&mut second, arrivals.next()).await, ahead, "the next worker");
    assert_eq!(name(ahead).as_deref(), Some("offproc-worker"));
    assert_ne!(one, ahead);
    let next = spare().await;
    (0..2).for_each(|_| gate.admit_one());
    let (first, second) = join(first, second).await;
    first.and(second).unwrap();
    let server = server();
    // It cannot leave by itself.
    send(next, Signal::STOP);
    context.close().await.unwrap();
    assert!([one, ahead, next, server].into_iter().all(is_reaped), "reaped by the time `close` returns");
}

static PRELOADED: AtomicU32 = AtomicU32::new(0);

async fn forks_after_preload_and_once_it_has_run(case: Case) {
    let preload = || PRELOADED.store(std::process::id(), Ordering::Relaxed);
    let context = case.builder().preload(preload).retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..3 {
        let preloaded = context.run_sync(|()| PRELOADED.load(Ordering::Relaxed), ()).await.unwrap();
        assert_eq!(preloaded, server(), "in the server, and in no other process");
        spare().await;
    }
    context.close().await.unwrap();
}

/// Starts a worker beside the idle one.
async fn start_another(context: &WorkerContext) -> u32 {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let two = Limiter::new(2);
    let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut busy = context.run_sync(job::work, argument).limiter(&two).into_future();
    drive_until(&mut busy, arrivals.next()).await;
    let pid = context.run_sync(job::pid, ()).limiter(&two).await.unwrap();
    gate.admit_one();
    busy.await.unwrap();
    pid
}

async fn prints_once_what_preload_prints_by_way_of_c(case: Case) {
    fn path(program: u32) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("offproc-printed-{program}"))
    }
    let preload = || {
        let file = std::fs::File::create(path(std::os::unix::process::parent_id())).unwrap();
        rustix::stdio::dup2_stdout(file).unwrap();
        // SAFETY: a string of C.
        unsafe { libc::puts(c"once".as_ptr()) };
    };
    let context = case.builder().preload(preload).retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..3 {
        context.run_sync(job::pid, ()).await.unwrap();
    }
    context.close().await.unwrap();
    let printed = std::fs::read_to_string(path(std::process::id())).unwrap();
    std::fs::remove_file(path(std::process::id())).unwrap();
    assert_eq!(printed, "once\n");
}

async fn that_dies_idle_is_replaced(case: Case) {
    let context = case.context();
    let worker = context.run_sync(job::pid, ()).await.unwrap();
    let (first, ahead) = (server(), spare().await);
    kill(first);
    // Nothing would refer to it any more.
    must_end(ahead);
    until("it is reaped", || is_reaped(first)).await;
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), worker, "its workers live on");
    let another = start_another(&context).await;
    assert!(another != worker && another != ahead);
    assert_ne!(server(), first);
    context.close().await.unwrap();
    assert!(Family::now().is_empty());
    must_end(worker);
}

async fn that_dies_takes_no_running_job_along(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let two = Limiter::new(2);
    let path = scratch.path("trace");
    let call = || context.run_sync(job::work, (arrivals.ticket(), gate.ticket(), path.clone())).limiter(&two);
    let (mut first, mut second) = (call().into_future(), call().into_future());
    let one = drive_until(&mut first, arrivals.next()).await;
    let other = drive_until(&mut second, arrivals.next()).await;
    let server = server();
    kill(server);
    until("it is reaped", || is_reaped(server)).await;
    if !cfg!(offproc_portable) {
        // Of the task that sees the end of a fork server's worker, and of the one that waits for workers which have
        // lost theirs: neither polls again and again.
        until("their ends are waited for", || watches(one) == 2 && watches(other) == 2).await;
    }
    (0..2).for_each(|_| gate.admit_one());
    let (first, second) = join(first, second).await;
    first.and(second).unwrap();
    assert_eq!(trace(&path), "done\ndone\n");
    // And their ends are seen, if not how they ended.
    let broken = context.run_sync(job::end_at_once, 3).await.unwrap_err();
    match broken {
        Error::BrokenWorker(end) => assert!(end.pid() == one || end.pid() == other, "{end}"),
        other => panic!("not a broken worker: {other:?}"),
    }
    context.close().await.unwrap();
    must_end(one);
    must_end(other);
}

async fn that_dies_with_a_request_in_its_hands_is_replaced(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let three = Limiter::new(3);
    let call = || {
        let argument = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
        context.run_sync(job::work, argument).limiter(&three).into_future()
    };
    let mut first = call();
    drive_until(&mut first, arrivals.next()).await;
    let (server, _) = (server(), spare().await);
    send(server, Signal::STOP);
    // The spare serves this one, and the next has to be forked.
    let mut second = call();
    drive_until(&mut second, arrivals.next()).await;
    let mut third = call();
    drive_until(&mut third, until("it is asked for", || context.statistics().starting_workers == 1)).await;
    kill(server);
    drive_until(&mut third, arrivals.next()).await;
    (0..3).for_each(|_| gate.admit_one());
    for call in [first, second, third] {
        call.await.unwrap();
    }
    context.close().await.unwrap();
}

async fn that_is_stopped_keeps_no_spare_from_serving(case: Case) {
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let (server, ahead) = (server(), spare().await);
    send(server, Signal::STOP);
    assert_eq!(start_another(&context).await, ahead);
    send(server, Signal::CONT);
    context.close().await.unwrap();
}

async fn that_is_stopped_hides_no_end(case: Case) {
    let context = case.builder().grace_period(Duration::from_millis(100)).open().unwrap();
    let worker = context.run_sync(job::pid, ()).await.unwrap();
    let server = server();
    send(server, Signal::STOP);
    match context.run_sync(job::end_at_once, 3).await.unwrap_err() {
        Error::BrokenWorker(end) => assert_eq!((end.pid(), end.exit_status()), (worker, None), "{end}"),
        other => panic!("not a broken worker: {other:?}"),
    }
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.count(), unclean.pid()), (1, server), "{unclean}");
}

/// At the end of the fork server only: its workers have inherited this.
fn linger_at_exit() {
    extern "C" fn linger() {
        if name(std::process::id()).as_deref() == Some("offproc-forker") {
            job::spin();
        }
    }
    // SAFETY: `linger` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(linger) }, 0);
}

async fn that_does_not_leave_is_killed_at_close(case: Case) {
    let context = case.builder().preload(linger_at_exit).grace_period(Duration::from_millis(100)).open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    let server = server();
    let unclean = context.close().await.unwrap_err();
    assert_eq!((unclean.count(), unclean.pid()), (1, server), "{unclean}");
    assert!(unclean.to_string().contains("killed by SIGKILL"), "{unclean}");
    assert!(is_reaped(server));
}

fn panic_unless_fixed() {
    assert!(std::path::Path::new("fixed").exists(), "it is not fixed yet");
}

async fn whose_preload_fails_is_reported_and_tried_again(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let context = case.builder().preload(panic_unless_fixed).open().unwrap();
    let failed = context.run_sync(job::pid, ()).await.unwrap_err();
    assert!(matches!(failed, Error::Spawn(_)) && failed.to_string().contains("it is not fixed yet"), "{failed:?}");
    std::fs::write("fixed", "").unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    context.close().await.unwrap();
}

/// How many registrations there are of pidfds of a process, with any epoll of ours.
fn watches(pid: u32) -> usize {
    let info = |fd: &str| std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let field = |line: &str, name: &str| Some(line.strip_prefix(name)?.split_whitespace().next()?.to_owned());
    let all = std::fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|fd| fd.ok()?.file_name().into_string().ok());
    let targets: Vec<String> =
        all.flat_map(|fd| info(&fd).lines().filter_map(|line| field(line, "tfd:")).collect::<Vec<_>>()).collect();
    let is_of_it = |fd: &&String| info(fd).lines().any(|line| field(line, "Pid:") == Some(pid.to_string()));
    targets.iter().filter(is_of_it).count()
}

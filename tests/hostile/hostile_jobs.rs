//! Whatever a job does to its worker, its call works or ends with a clear error, and so does the next call.

use offproc::{Error, WorkerContext};
use offproc_tests::{Case, job, matrix};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::time::Duration;

matrix!(do_no_harm_to_the_next, that_become_another_program_are_over, that_leave_threads, that_fork);

type Deed = fn(());

/// What is to come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Works,
    Dies,
    Either,
}

use Expected::{Dies, Either, Works};

const DEEDS: [(&str, Deed, Expected); 14] = [
    ("closes all descriptors but the standard ones", close_all, Either),
    ("closes the low ones", |()| close(0, 20), Works),
    ("writes to the low ones", write_to_low_ones, Works),
    ("exits", |()| std::process::exit(0), Dies),
    ("ends at once", |()| job::end_at_once(0), Dies),
    ("changes directory", |()| std::env::set_current_dir("/").unwrap(), Works),
    ("removes the directory it is in", remove_directory, Works),
    ("blocks all signals", |()| job::block_all_signals(), Works),
    ("ignores all signals", ignore_all_signals, Works),
    ("overflows its stack", overflow, Dies),
    ("forbids itself descriptors", forbid_descriptors, Either),
    ("starts a session", |()| assert!(rustix::process::setsid().is_ok()), Works),
    ("takes the panic hook away", |()| std::panic::set_hook(Box::new(|_| {})), Works),
    ("leaves its locks held", |()| std::mem::forget(std::io::stdout().lock()), Works),
];

async fn do_no_harm_to_the_next(case: Case) {
    for (name, deed, expected) in DEEDS {
        let context = case.context();
        let outcome = context.run_sync(deed, ()).await;
        match (&outcome, expected) {
            (Ok(()), Works | Either) | (Err(Error::BrokenWorker(_)), Dies | Either) => {}
            _ => panic!("a job that {name}: {outcome:?}"),
        }
        goes_on(&context, name).await;
        let _ = context.close().await;
    }
}

/// A call works, one that panics does so, and the worker can be killed. A worker that was spoilt may be lost on the
/// way, once.
async fn goes_on(context: &WorkerContext, name: &str) {
    let double = || async { context.run_sync(|n: u32| 2 * n, 21).time_limit(Duration::from_secs(60)).await };
    let next = match double().await {
        Err(Error::BrokenWorker(_)) => double().await,
        next => next,
    };
    assert_eq!(next.ok(), Some(42), "after a job that {name}");
    let panics = |()| panic!("on purpose");
    match context.run_sync::<(), ()>(panics, ()).await {
        Err(Error::Panicked(e)) if e.message() == "on purpose" => {}
        other => panic!("after a job that {name}: {other:?}"),
    }
    let endless = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(1)).await;
    assert!(matches!(endless, Err(Error::TimedOut)), "after a job that {name}: {endless:?}");
    assert_eq!(double().await.ok(), Some(42), "after a job that {name}");
}

fn close(first: u32, last: u32) {
    // SAFETY: a job that does this must not expect anything of what it has opened; these have opened nothing.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

fn close_all(_: ()) {
    close(3, u32::MAX);
}

fn write_to_low_ones(_: ()) {
    for fd in 0..=20 {
        // SAFETY: it writes eight bytes of its own.
        unsafe { libc::write(fd, 1_u64.to_ne_bytes().as_ptr().cast(), 8) };
    }
}

fn remove_directory(_: ()) {
    let directory = std::env::temp_dir().join(format!("offproc-test-gone-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::env::set_current_dir(&directory).unwrap();
    std::fs::remove_dir(&directory).unwrap();
}

fn ignore_all_signals(_: ()) {
    for signal in 1..32 {
        // SAFETY: ignoring a signal installs no code. Those of faults come all the same.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

fn overflow(_: ()) {
    std::hint::black_box(deeper(1));
}

#[expect(unconditional_recursion, reason = "it is to run out of stack")]
fn deeper(n: u64) -> [u64; 128] {
    let mut numbers = deeper(std::hint::black_box(n + 1));
    std::hint::black_box(&mut numbers)[0] += n;
    numbers
}

fn forbid_descriptors(_: ()) {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, none).unwrap();
}

async fn that_become_another_program_are_over(case: Case) {
    let context = case.context();
    let ends = |()| -> () { panic!("{}", std::process::Command::new("/bin/true").exec()) };
    let error = context.run_sync(ends, ()).await.unwrap_err();
    assert!(matches!(error, Error::BrokenWorker(_)), "{error:?}");
    goes_on(&context, "becomes /bin/true").await;
    let lasts = |()| -> () { panic!("{}", std::process::Command::new("/bin/sleep").arg("1000").exec()) };
    let error = context.run_sync(lasts, ()).time_limit(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    goes_on(&context, "becomes /bin/sleep").await;
    context.close().await.unwrap();
}

async fn that_leave_threads(case: Case) {
    let context = case.context();
    // It prints for as long as there is a process.
    let prints = |()| {
        std::thread::spawn(|| {
            loop {
                let _ = std::io::stdout().write_all(b".");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    };
    context.run_sync(prints, ()).await.unwrap();
    goes_on(&context, "leaves a thread that prints").await;
    // It crashes at some time: in whatever call runs then, this one included, or in none.
    let crashes = |()| {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(5));
            std::process::abort();
        });
    };
    let mut deaths = 0;
    let mut note = |end| match end {
        Ok(()) => {}
        Err(Error::BrokenWorker(_)) => deaths += 1,
        Err(other) => panic!("{other:?}"),
    };
    note(context.run_sync(crashes, ()).await);
    for _ in 0..100 {
        note(context.run_sync(|()| std::thread::sleep(Duration::from_millis(1)), ()).await);
    }
    let closed = context.close().await;
    deaths += closed.err().map_or(0, |e| e.count());
    assert_eq!(deaths, 1, "reported once");
}

/// Both processes return from the job; only one is the worker.
async fn that_fork(case: Case) {
    let context = case.context();
    // SAFETY: the worker has one thread.
    let forks = |n: u32| unsafe {
        match libc::fork() {
            0 => n + 1_000_000,
            _ => n,
        }
    };
    for n in 0..50 {
        assert_eq!(context.run_sync(forks, n).await.ok(), Some(n));
        assert_eq!(context.run_sync(|n: u32| n, n).await.ok(), Some(n));
    }
    // SAFETY: the same.
    let panics = |n: u32| unsafe {
        match libc::fork() {
            0 => panic!("in the copy"),
            _ => n,
        }
    };
    assert_eq!(context.run_sync(panics, 7).await.ok(), Some(7));
    assert_eq!(context.run_sync(|n: u32| n, 8).await.ok(), Some(8));
    context.close().await.unwrap();
}

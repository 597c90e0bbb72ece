//! A program that makes calls late in its life, or becomes another one. Its first argument says which.

use offproc::{Error, WorkerContext, run_sync, shutdown};
use std::cell::RefCell;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["handler-before-the-first-call"] => {
            at_exit(call_late);
            call();
        }
        ["handler-after-the-first-call"] => {
            call();
            at_exit(call_late);
        }
        ["handler-and-no-call-before"] => at_exit(call_late),
        ["thread-local", "main"] => LATE.set(Some(Late)),
        ["thread-local", "other"] => {
            call();
            std::thread::spawn(|| LATE.set(Some(Late))).join().expect("no panic");
        }
        ["exec", generation, how] => exec(generation.parse().expect("a number"), how),
        other => panic!("no such part: {other:?}"),
    }
}

fn call() {
    assert_eq!(run_sync(|n: u32| n + 1, 1).wait().expect("a call"), 2);
}

/// Every way to call, on every context there can be.
fn call_late() {
    let context = WorkerContext::builder().open().expect("a valid context");
    let late = [
        run_sync(|n: u32| n + 1, 1).wait(),
        context.run_sync(|n: u32| n + 1, 1).wait(),
        poll_until_it_ends(run_sync(|n: u32| n + 1, 1)),
    ];
    for call in late {
        assert!(matches!(call, Ok(2) | Err(Error::Closed)), "{call:?}");
    }
    let _ = context.close().wait();
    println!("called late");
}

/// An executor without a thread-local, which the usual ones have.
fn poll_until_it_ends<F: Future + Unpin>(mut call: F) -> F::Output {
    loop {
        if let Poll::Ready(output) = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn at_exit(hook: fn()) {
    thread_local! {
        static HOOK: std::cell::Cell<Option<fn()>> = const { std::cell::Cell::new(None) };
    }
    extern "C" fn run() {
        if std::panic::catch_unwind(|| HOOK.get().expect("a hook")()).is_err() {
            std::process::abort();
        }
    }
    HOOK.set(Some(hook));
    // SAFETY: `run` is a function of the right type, and does not unwind.
    assert_eq!(unsafe { libc::atexit(run) }, 0);
}

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        call_late();
    }
}

/// Makes a call, and becomes the next generation of itself; the last one counts its zombies until there are none.
fn exec(generation: u32, how: &str) {
    call();
    if generation < 3 {
        if how == "shutdown" {
            shutdown(Duration::from_secs(30)).wait().expect("a clean end");
        }
        let next = (generation + 1).to_string();
        let error = Command::new("/proc/self/exe").args(["exec", &next, how]).exec();
        panic!("{error}");
    }
    if how == "shutdown" {
        assert_eq!(zombies(), 0, "none is there in the first place");
    }
    offproc_tests::waiting::blocking_until(|| zombies() == 0, || format!("{} zombies", zombies()));
    call();
    println!("no zombies");
}

fn zombies() -> usize {
    let stats = std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path().join("stat"));
    let ours = format!(") Z {} ", std::process::id());
    stats.filter(|stat| std::fs::read_to_string(stat).is_ok_and(|stat| stat.contains(&ours))).count()
}

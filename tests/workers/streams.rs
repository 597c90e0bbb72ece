//! Standard streams: nothing that a finished job wrote is lost, lines stay whole, and offproc does not wait for long
//! for a lock that other code holds.

use offproc::{Error, WorkerContext};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::until;
use offproc_tests::{Case, WorkerKind, isolated, job, matrix};
use std::ffi::{CStr, CString};
use std::io;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

matrix!(
    of_c_are_written_out_before_the_answer,
    of_std_are_written_out_before_the_answer,
    left_locked_by_a_job_hold_up_no_answer,
    locked_by_the_program_hold_up_no_job,
    locked_at_a_fork_delay_no_worker,
    stay_in_order_with_threads_about,
);
isolated!(lines_stay_whole, are_not_printed_twice_by_a_fork);

/// What has come out of this process's stdout, which is a file here.
fn printed() -> String {
    std::fs::read_to_string("/proc/self/fd/1").unwrap()
}

mod c {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        pub(crate) static stdout: *mut libc::FILE;
        pub(crate) fn flockfile(file: *mut libc::FILE);
        pub(crate) fn printf(format: *const c_char, ...) -> c_int;
    }
}

fn print_in_c(text: &str) {
    let text = CString::new(text).unwrap();
    // SAFETY: text without any `%`.
    assert!(unsafe { c::printf(text.as_ptr()) } >= 0);
}

/// Leaves a file open that has something buffered.
fn write_in_c((path, text): (String, String)) {
    let (path, text) = (CString::new(path).unwrap(), CString::new(text).unwrap());
    // SAFETY: C strings, and a file that stays open.
    unsafe {
        let file = libc::fopen(path.as_ptr(), c"w".as_ptr());
        assert!(!file.is_null());
        assert!(libc::fputs(text.as_ptr(), file) >= 0);
    }
}

async fn of_c_are_written_out_before_the_answer(case: Case) {
    let context = case.context();
    for n in 0..3 {
        context.run_sync(|n: u32| print_in_c(&format!("in C {n};")), n).await.unwrap();
        assert!(printed().contains(&format!("in C {n};")), "{}", printed());
    }
    // A kill after this loses nothing of it.
    let endless = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(Duration::from_millis(50)).await;
    assert!(matches!(endless, Err(Error::TimedOut)), "{endless:?}");
    assert_eq!(printed().matches("in C 0;in C 1;in C 2;").count(), 1, "{}", printed());
    let scratch = Scratch::new();
    if case.workers() != WorkerKind::Fork {
        let path = scratch.path("log");
        context.run_sync(write_in_c, (path.clone(), "logged\n".to_owned())).await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "logged\n");
    }
    context.close().await.unwrap();
}

fn print_and_panic(_: ()) {
    print!("and then;");
    panic!("it panics");
}

async fn of_std_are_written_out_before_the_answer(case: Case) {
    let context = case.context();
    for n in 0..3 {
        context.run_sync(|n: u32| print!("in Rust {n};"), n).await.unwrap();
        assert!(printed().ends_with(&format!("in Rust {n};")), "{}", printed());
    }
    let panics = context.run_sync(print_and_panic, ()).await;
    assert!(matches!(panics, Err(Error::Panicked(_))), "{panics:?}");
    assert!(printed().ends_with("in Rust 2;and then;"), "{}", printed());
    context.close().await.unwrap();
}

/// Runs it in a thread that goes on after the job, once it says that it has what it wants.
fn leave_behind(hold: impl FnOnce(&dyn Fn()) + Send + 'static) {
    let (sender, has_it) = mpsc::channel();
    thread::spawn(move || hold(&|| sender.send(()).unwrap()));
    has_it.recv().unwrap();
}

type Holder = (&'static str, fn(()));

const HOLDERS: [Holder; 3] = [
    ("std's lock on stdout", |()| {
        leave_behind(|has_it| {
            let _lock = io::stdout().lock();
            has_it();
            job::sleep();
        });
    }),
    ("C's lock on stdout, with something in it", |()| {
        leave_behind(|has_it| {
            print_in_c("held;");
            // SAFETY: C's own stream.
            unsafe { c::flockfile(c::stdout) };
            has_it();
            job::sleep();
        });
    }),
    ("std's lock on stderr", |()| {
        leave_behind(|has_it| {
            let _lock = io::stderr().lock();
            has_it();
            job::sleep();
        });
    }),
];

async fn left_locked_by_a_job_hold_up_no_answer(case: Case) {
    let builder = || case.builder().retire_after_jobs(20..=20);
    for (what, hold) in HOLDERS {
        hold_up_no_answer(what, hold, builder().open().unwrap()).await;
        // A fork of the program cannot know of threads once it is in a sandbox.
        if case.workers() != WorkerKind::Fork {
            hold_up_no_answer(what, hold, builder().sandbox(|| ()).open().unwrap()).await;
        }
    }
}

async fn hold_up_no_answer(what: &str, hold: fn(()), context: WorkerContext) {
    let calls = async {
        context.run_sync(hold, ()).await?;
        for n in 0..10 {
            assert_eq!(context.run_sync(|n: u32| n + 1, n).await?, n + 1);
        }
        let panics = context.run_sync(|()| -> () { panic!("as ever") }, ()).await;
        assert!(matches!(panics, Err(Error::Panicked(_))), "{what}: {panics:?}");
        Ok::<_, Error>(())
    };
    let start = Instant::now();
    calls.await.unwrap_or_else(|e| panic!("{what}: {e}"));
    // An answer waits once, not each time.
    assert!(start.elapsed() < Duration::from_secs(5), "{what}: {:?}", start.elapsed());
    context.close().await.unwrap_or_else(|e| panic!("{what}: {e}"));
}

async fn locked_by_the_program_hold_up_no_job(case: Case) {
    let context = case.builder().keep_stderr(true).open().unwrap();
    let complain = |lines: u32| (0..lines).for_each(|n| eprintln!("{n:100}"));
    // In a thread of its own, as a lock is held by a thread, and calls may be polled in any.
    let (release, released) = mpsc::channel::<()>();
    let (sender, has_it) = mpsc::channel();
    let holder = thread::spawn(move || {
        let (_out, _err) = (io::stdout().lock(), io::stderr().lock());
        sender.send(()).unwrap();
        let _ = released.recv();
    });
    has_it.recv().unwrap();
    // More than the pipe holds: the program has to read it, and to write it on.
    if case.workers() != WorkerKind::Fork {
        context.run_sync(complain, 3000).time_limit(Duration::from_secs(60)).await.unwrap();
    }
    drop(release);
    holder.join().unwrap();
    context.run_sync(|()| eprintln!("the last one"), ()).await.unwrap();
    let all = || std::fs::read_to_string("/proc/self/fd/2").unwrap();
    until("all has come out", || all().contains("the last one\n")).await;
    if case.workers() != WorkerKind::Fork {
        let lines: String = (0..3000).map(|n| format!("{n:100}\n")).collect();
        assert!(all().contains(&lines));
    }
    context.close().await.unwrap();
}

/// Threads that hold one lock or another for nearly all of the time, until the result is dropped.
fn contend(lock: fn()) -> impl Drop {
    struct Stop(std::sync::Arc<std::sync::atomic::AtomicBool>, Vec<thread::JoinHandle<()>>);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            self.1.drain(..).for_each(|thread| thread.join().unwrap());
        }
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let contend = || {
        let stop = std::sync::Arc::clone(&stop);
        thread::spawn(move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                lock();
            }
        })
    };
    let threads = (0..2).map(|_| contend()).collect();
    Stop(stop, threads)
}

/// Bypasses std's lock, which is the job's to take.
fn environment() -> [String; 3] {
    [c"OFFPROC_TEST_SET", c"OFFPROC_TEST_CONTENDED", c"PATH"].map(|name| {
        // SAFETY: a C string; and so is what it finds.
        unsafe {
            let found = libc::getenv(name.as_ptr());
            if found.is_null() { String::new() } else { CStr::from_ptr(found).to_str().unwrap().to_owned() }
        }
    })
}

async fn locked_at_a_fork_delay_no_worker(case: Case) {
    const SHORT: Duration = Duration::from_micros(50);
    let context = case
        .builder()
        .retire_after_jobs(1..=1)
        .start_timeout(Duration::from_secs(60))
        .time_limit(Duration::from_secs(60))
        .env("OFFPROC_TEST_SET", "to this")
        .env("OFFPROC_TEST_CONTENDED", "by no thread")
        .env_remove("PATH")
        // A panic notes what the loader has loaded.
        .env("RUST_BACKTRACE", "1")
        .open()
        .unwrap();
    std::panic::set_hook(Box::new(|_| thread::sleep(SHORT)));
    let locks: [(&str, fn()); 6] = [
        ("stdout", || {
            let _lock = io::stdout().lock();
            thread::sleep(SHORT);
        }),
        ("stderr", || {
            let _lock = io::stderr().lock();
            thread::sleep(SHORT);
        }),
        ("the panic hook", || drop(std::panic::catch_unwind(|| panic!("no matter")))),
        ("the environment", || {
            // SAFETY: nothing reads the environment by way of C meanwhile.
            unsafe { std::env::set_var("OFFPROC_TEST_CONTENDED", "1") };
        }),
        ("the environment, for a new process", || drop(Command::new("/bin/true").status())),
        ("the loader's list", || {
            unsafe extern "C" fn look(_: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> libc::c_int {
                thread::sleep(SHORT);
                1
            }
            // SAFETY: a function of the type asked for, which does not use what it is given.
            unsafe { libc::dl_iterate_phdr(Some(look), std::ptr::null_mut()) };
        }),
    ];
    for (what, lock) in locks {
        let _contended = contend(lock);
        for n in 0..5 {
            let result = context.run_sync(|n: u32| (n + 1, environment()), n).await;
            let found = result.unwrap_or_else(|e| panic!("{what}, call {n}: {e}"));
            assert_eq!(found, (n + 1, ["to this", "by no thread", ""].map(str::to_owned)), "{what}");
        }
        if what != "the panic hook" {
            let panics = context.run_sync(|()| -> () { panic!("reported") }, ()).await;
            let Err(Error::Panicked(panic)) = panics else { panic!("{what}: {panics:?}") };
            assert!(panic.message() == "reported" && panic.location().is_some(), "{what}: {panic:?}");
        }
    }
    let _ = std::panic::take_hook();
    context.close().await.unwrap();
}

async fn stay_in_order_with_threads_about(case: Case) {
    let context = case.context();
    // A pool that a job leaves behind, as those of rayon are left.
    context
        .run_sync(
            |()| {
                leave_behind(|has_it| {
                    has_it();
                    job::sleep();
                })
            },
            (),
        )
        .await
        .unwrap();
    for n in 0..20 {
        context.run_sync(|n: u32| print!("piece {n};"), n).await.unwrap();
        assert!(printed().ends_with(&format!("piece {n};")), "{}", printed());
    }
    context.close().await.unwrap();
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

fn lines_stay_whole() {
    let mut program = Command::new(PROGRAM);
    let output = program.arg("chatter").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let whole: Vec<String> = (0..4).map(|who| format!("worker {who} says a line of some length")).collect();
    let program = "the program says a line of some length";
    let torn: Vec<&str> =
        said.lines().filter(|line| *line != program && !whole.iter().any(|one| one == line)).collect();
    assert!(torn.is_empty(), "{} torn lines, such as {:?}", torn.len(), torn[0]);
    assert_eq!(said.lines().count(), 5 * 1000);
}

fn are_not_printed_twice_by_a_fork() {
    let mut program = Command::new(PROGRAM);
    let output = program.arg("print-before-fork").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the job; from the program; and again\nfrom C; ");
}

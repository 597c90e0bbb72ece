use super::{builder, this};
use offproc::{Error, Fd, SharedBytes, WorkerContext, WorkerType, channel, is_worker, worker_index};
use offproc_tests::job;
use rustix::fs::fstat;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

pub(crate) fn answers_as_any_worker() {
    let context = builder().open().unwrap();
    assert!(context.run_sync(|()| is_worker(), ()).wait().unwrap());
    assert_eq!(context.run_sync(|()| worker_index(), ()).wait().unwrap(), Some(0));
    let pid = context.run_sync(job::pid, ()).wait().unwrap();
    assert_ne!(pid, std::process::id());
    for n in 0..100_u64 {
        assert_eq!(context.run_sync(|n: u64| n * n, n).wait().unwrap(), n * n);
    }
    assert_eq!(context.run_sync(job::pid, ()).wait().unwrap(), pid, "it is cached");
    let panicked = context.run_sync(|()| -> () { panic!("of the job") }, ()).wait().unwrap_err();
    assert!(matches!(&panicked, Error::Panicked(panic) if panic.message() == "of the job"), "{panicked}");
    assert_eq!(context.statistics().started, 1);
    context.close().wait().unwrap();
}

pub(crate) fn large_values_travel_both_ways() {
    let context = builder().open().unwrap();
    let reverse = |mut bytes: Vec<u8>| {
        bytes.reverse();
        bytes
    };
    for size in [0, 1, 4079, 4080, 4081, 65_535, 65_536, 65_537, 20_000_000] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut reversed = bytes.clone();
        reversed.reverse();
        assert!(context.run_sync(reverse, bytes).wait().unwrap() == reversed, "{size} bytes");
    }
    let shared = SharedBytes::copy_from_slice(&[7; 1 << 20]).unwrap();
    let copied = context.run_sync(|bytes: SharedBytes| bytes, shared.clone()).wait().unwrap();
    assert!(copied[..] == shared[..]);
    context.close().wait().unwrap();
}

pub(crate) fn maps_items() {
    let context = builder().open().unwrap();
    let squares = context.map(|n: u64| n * n, 0..10_000).wait();
    assert!(squares.map(Result::unwrap).eq((0..10_000).map(|n| n * n)));
    context.close().wait().unwrap();
}

pub(crate) fn has_no_stdin_and_prints_to_stderr() {
    let context = builder().open().unwrap();
    let is_so = |()| {
        let [one, two] = [fstat(std::io::stdout()).unwrap(), fstat(std::io::stderr()).unwrap()];
        println!("a job's line on stdout, which is no frame");
        std::io::stdout().flush().unwrap();
        (std::io::stdin().read(&mut [0]).unwrap(), (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino))
    };
    assert_eq!(context.run_sync(is_so, ()).wait().unwrap(), (0, true));
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
}

pub(crate) fn refuses_what_stays_on_its_machine() {
    let context = builder().open().unwrap();
    let behind_a_command = |error: Error| {
        assert!(matches!(&error, Error::Encode(e) if e.to_string().contains("behind a command")), "{error}");
    };
    let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    behind_a_command(context.run_sync(|_: Fd<OwnedFd>| (), Fd(file)).wait().unwrap_err());
    let (sender, receiver) = channel::<u32>(1);
    behind_a_command(context.run_sync(|_| (), sender).wait().unwrap_err());
    drop(receiver);
    let open = |()| Fd(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
    behind_a_command(context.run_sync(open, ()).wait().unwrap_err());
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2, "the worker lives on");
    assert_eq!(context.statistics().started, 1);
    context.close().wait().unwrap();
}

pub(crate) fn acts_on_its_settings() {
    let context = builder().env("OFFPROC_TEST_SETTING", "set").current_dir("/").nice(3).open().unwrap();
    let seen = |()| {
        let setting = std::env::var("OFFPROC_TEST_SETTING").ok();
        let niceness = rustix::process::getpriority_process(None).unwrap();
        (setting, std::env::current_dir().unwrap() == std::path::Path::new("/"), niceness)
    };
    let niceness = rustix::process::getpriority_process(None).unwrap().max(3);
    assert_eq!(context.run_sync(seen, ()).wait().unwrap(), (Some("set".to_owned()), true, niceness));
    context.close().wait().unwrap();
    let context = WorkerContext::builder()
        .worker_type(WorkerType::command(|_| this()))
        .max_concurrency(1)
        .init_with(40, |n: u32| n)
        .open()
        .unwrap();
    assert_eq!(context.run_with(|state: &mut u32, n: u32| *state + n, 2).wait().unwrap(), 42);
    context.close().wait().unwrap();
}

pub(crate) fn leaves_by_itself() {
    let context = builder().retire_after_jobs(1..=1).open().unwrap();
    let first = context.run_sync(job::pid, ()).wait().unwrap();
    let second = context.run_sync(job::pid, ()).wait().unwrap();
    assert_ne!(first, second);
    context.close().wait().unwrap();
    let totals = context.statistics();
    assert_eq!((totals.started, totals.retired, totals.crashed, totals.killed), (2, 2, 0, 0));
}

pub(crate) fn is_asked_to_leave() {
    let context = builder().open().unwrap();
    context.warm_up(2).wait().unwrap();
    assert_eq!(context.statistics().idle_workers, 2);
    context.close().wait().unwrap();
    let totals = context.statistics();
    assert_eq!((totals.started, totals.retired, totals.crashed, totals.killed), (2, 2, 0, 0));
}

//! Workers have the standard three descriptors, offproc's own, and what calls send: none that the program has open.

use offproc_tests::{Case, WorkerKind, matrix};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

matrix!(are_none_of_the_program_s, of_a_fork_are_none_either);
matrix!(except fork: are_the_program_s_where_that_is_asked_for);

/// A pipe whose ends are not close-on-exec, as a C library would make it.
fn open_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    for end in [&read, &write] {
        fcntl_setfd(end, FdFlags::empty()).unwrap();
    }
    (read, write)
}

fn sees_its_end(read: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(read, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

/// The pipes that this process has open, but for the standard three descriptors, by their numbers.
fn pipes(_: ()) -> Vec<u64> {
    let numbers = fs::read_dir("/proc/self/fd").unwrap();
    let numbers: Vec<i32> = numbers
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .filter(|fd| *fd > 2)
        .collect();
    let stats = numbers.into_iter().filter_map(|fd| {
        // SAFETY: it is looked at, and may be closed by now.
        fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()
    });
    stats.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo).map(|stat| stat.st_ino).collect()
}

async fn are_none_of_the_program_s(case: Case) {
    let (read, write) = open_pipe();
    let number = fstat(&read).unwrap().st_ino;
    let single_use = case.builder().retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..3 {
        let there = single_use.run_sync(pipes, ()).await.unwrap();
        assert!(!there.contains(&number), "{there:?}");
    }
    let context = case.context();
    context.run_sync(pipes, ()).await.unwrap();
    drop(write);
    assert!(sees_its_end(&read), "no other process has it");
    assert!(pipes(()).contains(&number), "the program's own are as they were");
    context.close().await.unwrap();
    single_use.close().await.unwrap();
}

/// A fork would have those, too, that are close-on-exec.
async fn of_a_fork_are_none_either(case: Case) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let context = case.context();
    context.run_sync(pipes, ()).await.unwrap();
    drop(listener);
    assert!(std::net::TcpListener::bind(address).is_ok(), "the port is free");
    context.close().await.unwrap();
}

async fn are_the_program_s_where_that_is_asked_for(case: Case) {
    let (read, _write) = open_pipe();
    let number = fstat(&read).unwrap().st_ino;
    let context = case.builder().inherit_descriptors(true).open().unwrap();
    assert!(context.run_sync(pipes, ()).await.unwrap().contains(&number));
    let same = |fd: i32| {
        // SAFETY: the job is to have it.
        fstat(unsafe { BorrowedFd::borrow_raw(fd) }).map(|stat| stat.st_ino).ok()
    };
    assert_eq!(context.run_sync(same, read.as_raw_fd()).await.unwrap(), Some(number), "under the same number");
    assert_ne!(case.workers(), WorkerKind::Fork);
    context.close().await.unwrap();
}

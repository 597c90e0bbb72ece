//! The surroundings of a context's workers are in effect before `init`, and so before the first job.

use offproc::{Error, Resource, Signals};
use offproc_tests::scratch::Scratch;
use offproc_tests::{Case, job, matrix};
use rustix::process::{getpgid, getpgrp, getpriority_process, getrlimit};
use std::sync::OnceLock;

matrix!(
    are_changed_before_init,
    are_the_program_s_own_by_default,
    limit_resources_but_never_raise_a_limit,
    that_the_system_refuses_are_an_error,
    can_have_sigterm_ignored,
    can_be_a_process_group_of_its_own,
    are_kept_by_every_worker_of_the_context,
    are_the_program_s_of_now_in_a_new_worker,
    have_a_directory_relative_to_the_program_s_of_now,
    have_the_share_of_the_program_s_first_thread,
    are_preferred_by_the_oom_killer,
);

matrix!(except fork: have_variables_from_the_first_instruction_on);

type View = (Option<String>, Option<String>, String, i32, String);

fn view(_: ()) -> View {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned();
    let directory = std::env::current_dir().unwrap().display().to_string();
    let variable = |name| std::env::var(name).ok();
    (
        variable("OFFPROC_TEST_SET"),
        variable("OFFPROC_TEST_REMOVED"),
        directory,
        getpriority_process(None).unwrap(),
        cpus,
    )
}

static AT_INIT: OnceLock<View> = OnceLock::new();

fn look() {
    let _ = AT_INIT.set(view(()));
}

/// One CPU that this process may use, and a niceness that it does not have.
fn one_cpu_and_nicer() -> (usize, i32) {
    let (.., nice, cpus) = view(());
    let first = cpus.split([',', '-']).next().unwrap().parse().unwrap();
    (first, (nice + 3).min(19))
}

/// No other test changes this process's: each test has a process of its own.
fn set_variable(name: &str) {
    // SAFETY: no other thread of this test uses the environment at the same time.
    unsafe { std::env::set_var(name, "the program's") };
}

async fn are_changed_before_init(case: Case) {
    let scratch = Scratch::new();
    let (cpu, nice) = one_cpu_and_nicer();
    set_variable("OFFPROC_TEST_REMOVED");
    let before = view(());
    let builder = case.builder().init(look).env("OFFPROC_TEST_SET", "a value").env_remove("OFFPROC_TEST_REMOVED");
    let context = builder.current_dir(scratch.folder()).nice(nice).cpu_affinity([cpu]).open().unwrap();
    let expected = (Some("a value".to_owned()), None, scratch.folder().display().to_string(), nice, cpu.to_string());
    assert_eq!(context.run_sync(view, ()).await.unwrap(), expected);
    assert_eq!(context.run_sync(|()| AT_INIT.get().cloned(), ()).await.unwrap(), Some(expected), "before `init`");
    context.close().await.unwrap();
    assert_eq!(view(()), before, "the program itself is as it was");
}

async fn are_the_program_s_own_by_default(case: Case) {
    set_variable("OFFPROC_TEST_SET");
    let context = case.context();
    assert_eq!(context.run_sync(view, ()).await.unwrap(), view(()));
    context.close().await.unwrap();
}

/// Soft and hard limits on descriptors, core size and CPU time.
fn limits(_: ()) -> [(Option<u64>, Option<u64>); 3] {
    use rustix::process::Resource;
    [Resource::Nofile, Resource::Core, Resource::Cpu].map(|resource| {
        let limit = getrlimit(resource);
        (limit.current, limit.maximum)
    })
}

async fn limit_resources_but_never_raise_a_limit(case: Case) {
    let most = getrlimit(rustix::process::Resource::Nofile).maximum;
    let builder = case.builder().resource_limit(Resource::OpenFiles, u64::MAX - 1);
    let context = builder.resource_limit(Resource::CoreSize, 0).resource_limit(Resource::CpuTime, 1000).open().unwrap();
    let [files, core, cpu] = context.run_sync(limits, ()).await.unwrap();
    assert_eq!(files.1, most.or(Some(u64::MAX - 1)), "no more than the program may have");
    assert_eq!((core, cpu), ((Some(0), Some(0)), (Some(1000), Some(1000))));
    context.close().await.unwrap();
}

async fn that_the_system_refuses_are_an_error(case: Case) {
    // `open` refuses a directory that does not exist then: see `settings`. This one is removed later.
    let scratch = Scratch::new();
    let gone = scratch.path("gone");
    std::fs::create_dir(&gone).unwrap();
    let context = case.builder().current_dir(&gone).open().unwrap();
    std::fs::remove_dir(&gone).unwrap();
    let refused = context.run_sync(job::pid, ()).await.unwrap_err();
    assert!(matches!(refused, Error::Spawn(_)) && refused.to_string().contains(&gone), "{refused:?}");
    context.close().await.unwrap();
}

async fn can_have_sigterm_ignored(case: Case) {
    let context = case.builder().signals(Signals::IgnoreTerminate).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    context.run_sync(job::raise, libc::SIGTERM).await.unwrap();
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    context.close().await.unwrap();
    let context = case.context();
    let ended = context.run_sync(job::raise, libc::SIGTERM).await.unwrap_err();
    assert!(ended.to_string().contains("SIGTERM"), "{ended}");
    context.close().await.unwrap();
}

async fn can_be_a_process_group_of_its_own(case: Case) {
    let group = |()| getpgid(None).unwrap().as_raw_nonzero().get();
    let own = case.builder().signals(Signals::OwnGroup).open().unwrap();
    let (pid, its) = (own.run_sync(job::pid, ()).await.unwrap(), own.run_sync(group, ()).await.unwrap());
    assert_eq!(its.unsigned_abs(), pid);
    own.close().await.unwrap();
    let inherited = case.context();
    assert_eq!(inherited.run_sync(group, ()).await.unwrap(), getpgrp().as_raw_nonzero().get());
    inherited.close().await.unwrap();
}

async fn are_kept_by_every_worker_of_the_context(case: Case) {
    let context = case.builder().env("OFFPROC_TEST_SET", "a value").retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..3 {
        assert_eq!(context.run_sync(view, ()).await.unwrap().0.as_deref(), Some("a value"));
    }
    context.close().await.unwrap();
}

/// Soft and hard.
type Limit = (Option<u64>, Option<u64>);

/// What a process has from its maker: a variable, the directory, umask, and limits on core size and descriptors.
fn inherited(_: ()) -> (Option<String>, Option<String>, String, u32, [Limit; 2]) {
    use rustix::process::Resource;
    let variable = |name| std::env::var(name).ok();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap().trim().to_owned();
    let limits = [Resource::Core, Resource::Nofile].map(|resource| {
        let limit = getrlimit(resource);
        (limit.current, limit.maximum)
    });
    let directory = std::env::current_dir().map_or_else(|e| e.to_string(), |path| path.display().to_string());
    (
        variable("OFFPROC_TEST_SET"),
        variable("OFFPROC_TEST_NEW"),
        directory,
        u32::from_str_radix(&umask, 8).unwrap(),
        limits,
    )
}

async fn are_the_program_s_of_now_in_a_new_worker(case: Case) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let scratch = Scratch::new();
    set_variable("OFFPROC_TEST_SET");
    let single_use = case.builder().retire_after_jobs(1..=1).open().unwrap();
    for _ in 0..2 {
        assert_eq!(single_use.run_sync(inherited, ()).await.unwrap(), inherited(()));
    }
    // SAFETY: no other thread of this test uses the environment at the same time.
    unsafe { std::env::remove_var("OFFPROC_TEST_SET") };
    set_variable("OFFPROC_TEST_NEW");
    std::env::set_current_dir(scratch.folder()).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o051));
    let most = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(777), ..most }).unwrap();
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(4096) }).unwrap();
    // The first of them was forked ahead.
    for _ in 0..3 {
        assert_eq!(single_use.run_sync(inherited, ()).await.unwrap(), inherited(()));
    }
    // Where it is by descriptor, not by name.
    std::fs::remove_dir(scratch.folder()).unwrap();
    assert_eq!(single_use.run_sync(inherited, ()).await.unwrap(), inherited(()));
    std::env::set_current_dir("/").unwrap();
    assert_eq!(single_use.run_sync(inherited, ()).await.unwrap(), inherited(()));
    single_use.close().await.unwrap();
}

async fn have_a_directory_relative_to_the_program_s_of_now(case: Case) {
    let scratch = Scratch::new();
    let [here, there] = ["here", "there"].map(|name| scratch.folder().join(name));
    for place in [&here, &there] {
        std::fs::create_dir_all(place.join("data")).unwrap();
    }
    std::env::set_current_dir(&here).unwrap();
    let context = case.builder().current_dir("data").retire_after_jobs(1..=1).open().unwrap();
    for place in [&here, &here, &there, &there] {
        std::env::set_current_dir(place).unwrap();
        let directory = context.run_sync(|()| std::env::current_dir().unwrap(), ()).await.unwrap();
        assert_eq!(directory, place.join("data"));
    }
    context.close().await.unwrap();
}

/// Niceness, CPUs, policy and I/O priority of a thread of this process; 0: the one that asks.
fn share(thread: i32) -> (i32, Vec<usize>, i32, i64) {
    use rustix::thread::{CpuSet, Pid, sched_getaffinity};
    let pid = Pid::from_raw(thread);
    let cpus = sched_getaffinity(pid).unwrap();
    // SAFETY: calls that take numbers.
    let (policy, io) = unsafe { (libc::sched_getscheduler(thread), libc::syscall(libc::SYS_ioprio_get, 1, thread)) };
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| cpus.is_set(*cpu)).collect();
    (getpriority_process(pid).unwrap(), cpus, policy, io)
}

/// The test itself runs on another thread than the program's first, and makes that one unlike it.
async fn have_the_share_of_the_program_s_first_thread(case: Case) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can go back to a lower niceness");
        return;
    }
    let program = share(std::process::id().cast_signed());
    let runs = move |context: offproc::WorkerContext| async move {
        for _ in 0..3 {
            assert_eq!(context.run_sync(share, 0).await.unwrap(), program);
        }
        context.close().await.unwrap();
    };
    let context = case.builder().retire_after_jobs(1..=1).open().unwrap();
    std::thread::spawn(move || {
        let cpu = share(0).1[0];
        let mut one = rustix::thread::CpuSet::new();
        one.set(cpu);
        rustix::thread::sched_setaffinity(None, &one).unwrap();
        rustix::process::setpriority_process(None, 7).unwrap();
        // SAFETY: numbers, and a structure of numbers.
        unsafe {
            let parameters: libc::sched_param = std::mem::zeroed();
            assert_eq!(libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters), 0);
            assert_eq!(libc::syscall(libc::SYS_ioprio_set, 1, 0, (2 << 13) | 7), 0);
        }
        futures::executor::block_on(runs(context));
    })
    .join()
    .unwrap();
}

async fn are_preferred_by_the_oom_killer(case: Case) {
    let score = |()| std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
    let program = score(());
    for (set, expected) in [(None, 500), (Some(0), 0), (Some(20), 20), (Some(1000), 1000)] {
        let builder = case.builder();
        let context = set.map_or_else(|| case.builder(), |set| builder.oom_score_adj(set)).open().unwrap();
        assert_eq!(context.run_sync(score, ()).await.unwrap(), (program + expected).min(1000));
        context.close().await.unwrap();
    }
    assert_eq!(score(()), program);
}

/// Not only from when offproc sets them: `/proc/self/environ` is what loader and C library have seen.
async fn have_variables_from_the_first_instruction_on(case: Case) {
    set_variable("OFFPROC_TEST_REMOVED");
    let builder = case.builder().env("MALLOC_ARENA_MAX", "1").env_remove("OFFPROC_TEST_REMOVED");
    let context = builder.open().unwrap();
    let seen = |()| std::fs::read_to_string("/proc/self/environ").unwrap();
    let seen = context.run_sync(seen, ()).await.unwrap();
    let seen: Vec<&str> = seen.split('\0').collect();
    assert!(seen.contains(&"MALLOC_ARENA_MAX=1"), "{seen:?}");
    assert!(!seen.iter().any(|variable| variable.starts_with("OFFPROC_TEST_REMOVED=")), "{seen:?}");
    context.close().await.unwrap();
}

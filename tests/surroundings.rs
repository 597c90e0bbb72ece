//! What operators set for the workers of a context is so before `init`, and so before the first job.

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
);

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

/// Of a process that is not changed by anybody who runs beside it: each test has its own.
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
    for (cpu, complaint) in [(1 << 20, "there is no CPU 1048576"), (1023, "CPUs [1023]")] {
        let context = case.builder().cpu_affinity([cpu]).open().unwrap();
        let refused = context.run_sync(job::pid, ()).await.unwrap_err();
        assert!(matches!(refused, Error::Spawn(_)) && refused.to_string().contains(complaint), "{refused:?}");
        context.close().await.unwrap();
    }
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

//! What the system has run out of is an error of that call, and works again when there is more.

use offproc::Error;
use offproc_tests::process::Family;
use offproc_tests::{Case, job, matrix};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

matrix!(of_descriptors_is_an_error_and_passes, of_processes_is_an_error_and_passes, of_a_directory_is_an_error);

fn limit_descriptors(most: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).unwrap();
}

async fn of_descriptors_is_an_error_and_passes(case: Case) {
    let plenty = getrlimit(Resource::Nofile).current.unwrap_or(1024);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    for spare in 0..16 {
        let context = case.context();
        limit_descriptors(open + spare);
        let scarce = context.run_sync(job::pid, ()).await;
        limit_descriptors(plenty);
        match scarce {
            Ok(_) | Err(Error::Spawn(_)) => {}
            // The worker itself may have been short of them.
            Err(Error::BrokenWorker(_)) => {}
            Err(e) => panic!("with {spare} descriptors to spare: {e:?}"),
        }
        context.run_sync(job::pid, ()).await.unwrap();
        let _ = context.close().await;
    }
}

/// Becomes a user to whom the limit on processes applies, unlike root.
fn become_another_user() {
    const NOBODY: u32 = 65534;
    // SAFETY: plain system calls. The last one keeps `/proc/self` readable for the check at the end of the test.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
            assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
            assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 1), 0);
        }
    }
}

/// For the test itself and for its fork server, if it has one.
fn limit_processes(most: Option<u64>) {
    let maximum = getrlimit(Resource::Nproc).maximum;
    let limit = || Rlimit { current: most.or(maximum), maximum };
    prlimit(None, Resource::Nproc, limit()).unwrap();
    for server in Family::now().fork_servers() {
        prlimit(Pid::from_raw(server.cast_signed()), Resource::Nproc, limit()).unwrap();
    }
}

async fn of_processes_is_an_error_and_passes(case: Case) {
    become_another_user();
    let context = case.builder().retire_after_jobs(1..=1).open().unwrap();
    // The threads that starting takes are there from then on.
    context.run_sync(job::pid, ()).await.unwrap();
    limit_processes(Some(0));
    // A fork server may have forked one before.
    let mut refused = context.run_sync(job::pid, ()).await;
    if refused.is_ok() {
        refused = context.run_sync(job::pid, ()).await;
    }
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Spawn(_)), "{error:?}");
    limit_processes(None);
    context.run_sync(job::pid, ()).await.unwrap();
    context.close().await.unwrap();
}

async fn of_a_directory_is_an_error(case: Case) {
    let context = case.builder().current_dir("/nonexistent/offproc").open().unwrap();
    let error = context.run_sync(job::pid, ()).await.unwrap_err();
    assert!(matches!(error, Error::Spawn(_)), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/offproc"), "{error}");
    context.close().await.unwrap();
}

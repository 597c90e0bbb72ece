//! What the system has run out of is an error of that call, and works again when there is more.

use offproc::Error;
use offproc_tests::{Case, job, matrix};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

matrix!(of_descriptors_is_an_error_and_passes, of_a_directory_is_an_error);

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

async fn of_a_directory_is_an_error(case: Case) {
    let context = case.builder().current_dir("/nonexistent/offproc").open().unwrap();
    let error = context.run_sync(job::pid, ()).await.unwrap_err();
    assert!(matches!(error, Error::Spawn(_)), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/offproc"), "{error}");
    context.close().await.unwrap();
}

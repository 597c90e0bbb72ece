//! A time limit kills the worker of a job that passes it, and counts nothing but the job.

use futures::executor::block_on;
use offproc::{Error, Limiter, WorkerContext};
use offproc_tests::process::must_end;
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::drive_until;
use offproc_tests::{Case, isolated, job, matrix};
use smol::Timer;
use std::time::Duration;

matrix!(
    kills_an_endless_job,
    does_not_count_the_start_of_a_worker,
    does_not_count_the_wait_for_a_token,
    leaves_a_job_in_time_alone,
);

/// Long for a job that does nothing, even on a busy machine.
const LIMIT: Duration = Duration::from_millis(600);

isolated!(goes_on_in_another_runtime);
#[cfg(unix)]
mod stopped {
    offproc_tests::isolated!(does_not_count_what_the_program_is_stopped_for);
    use super::does_not_count_what_the_program_is_stopped_for;
}

fn goes_on_in_another_runtime() {
    let context = WorkerContext::builder().open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut call = context.run_sync(|()| -> () { job::spin() }, ()).time_limit(LIMIT).into_future();
    runtime.block_on(async {
        context.run_sync(|()| (), ()).await.unwrap();
        assert!(futures::poll!(&mut call).is_pending());
    });
    drop(runtime);
    assert!(matches!(block_on(call), Err(Error::TimedOut)));
    block_on(context.close()).unwrap();
}

async fn kills_an_endless_job(case: Case) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = case.context();
    let limiter = Limiter::new(1);
    let call = context.run_sync(job::arrive_and_spin_deaf, arrivals.ticket());
    let error = call.limiter(&limiter).time_limit(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    if let Some(pid) = arrivals.try_next() {
        must_end(pid);
        assert_ne!(context.run_sync(job::pid, ()).limiter(&limiter).await.unwrap(), pid);
    }
    assert_eq!(context.run_sync(|()| 1, ()).limiter(&limiter).await.unwrap(), 1);
    // offproc killed it for its limit: nothing to report.
    context.close().await.unwrap();
}

async fn does_not_count_the_start_of_a_worker(case: Case) {
    let scratch = Scratch::new();
    std::env::set_current_dir(scratch.folder()).unwrap();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let waits = || {
        arrive("arrivals");
        assert!(pass("gate"));
    };
    let context = case.builder().init(waits).open().unwrap();
    let mut call = context.run_sync(|n: u8| n, 1).time_limit(LIMIT).into_future();
    drive_until(&mut call, arrivals.next()).await;
    drive_until(&mut call, Timer::after(LIMIT)).await;
    gate.admit_one();
    assert_eq!(call.await.unwrap(), 1);
    context.close().await.unwrap();
}

async fn does_not_count_the_wait_for_a_token(case: Case) {
    let context = case.context();
    let limiter = Limiter::new(1);
    let permit = limiter.acquire().await;
    let mut call = context.run_sync(|n: u8| n, 1).limiter(&limiter).time_limit(LIMIT).into_future();
    drive_until(&mut call, Timer::after(LIMIT)).await;
    drop(permit);
    assert_eq!(call.await.unwrap(), 1);
    context.close().await.unwrap();
}

async fn leaves_a_job_in_time_alone(case: Case) {
    let context = case.context();
    let first = context.run_sync(job::pid, ()).time_limit(Duration::MAX).await.unwrap();
    let second = context.run_sync(job::pid, ()).time_limit(Duration::from_secs(60)).await.unwrap();
    assert_eq!(first, second);
    context.close().await.unwrap();
}

#[cfg(unix)]
/// By Ctrl+Z or a debugger, together with its workers or alone; for longer than the limit. What comes after counts.
fn does_not_count_what_the_program_is_stopped_for() {
    use offproc_tests::process::{is_stopped, send};
    use offproc_tests::waiting::blocking_until;
    use std::os::unix::process::CommandExt;
    for (workers, how) in ["spawn", "fork_server", "fork"]
        .into_iter()
        .flat_map(|workers| [(workers, "together"), (workers, "alone"), (workers, "endless")])
    {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_program"));
        let mut program = program.args(["stop", workers, how]).process_group(0).spawn().expect("it starts");
        let pid = program.id();
        blocking_until(|| is_stopped(pid), || format!("{workers} {how}: it does not stop"));
        std::thread::sleep(Duration::from_millis(2500));
        if how == "alone" {
            send(pid, rustix::process::Signal::CONT);
        } else {
            let group = rustix::process::Pid::from_child(&program);
            rustix::process::kill_process_group(group, rustix::process::Signal::CONT).unwrap();
        }
        assert!(program.wait().unwrap().success(), "{workers} {how}");
    }
}

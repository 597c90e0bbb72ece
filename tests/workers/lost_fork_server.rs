//! A fork server that dies, or does not answer, while a worker starts.

use futures::FutureExt;
use offproc::{Error, Limiter};
use offproc_tests::process::{self, Family, send};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use rustix::process::Signal;
use std::future::IntoFuture;
use std::process::Command;

isolated!(its_worker_lives_on_and_takes_the_job, a_start_that_is_given_up_says_nothing);

fn wait_to_be_admitted() {
    arrive(&std::env::var("TICKET").unwrap());
    assert!(pass(&std::env::var("GATE").unwrap()));
}

fn arrive_and_die((ticket, gate): (String, String)) {
    arrive(&ticket);
    if pass(&gate) {
        job::end_at_once(3);
    }
}

fn its_worker_lives_on_and_takes_the_job() {
    let executor = Executor::FuturesBlockOn;
    executor.block_on(async move {
        let scratch = Scratch::new();
        let (starts, admission) = (Arrivals::new(&scratch, "starts"), Gate::new(&scratch, "admission"));
        let (jobs, end) = (Arrivals::new(&scratch, "jobs"), Gate::new(&scratch, "end"));
        let context = Case::new(executor, WorkerKind::ForkServer)
            .builder()
            .env("TICKET", starts.ticket())
            .env("GATE", admission.ticket())
            .init(wait_to_be_admitted)
            .open()
            .unwrap();
        let three = Limiter::new(3);
        let dies = || context.run_sync(arrive_and_die, (jobs.ticket(), end.ticket())).limiter(&three).into_future();
        (0..2).for_each(|_| admission.admit_one());
        let mut first = dies();
        drive_until(&mut first, jobs.next()).await;
        until("there is a spare", || !Family::now().named("offproc-spare").is_empty()).await;
        let server = Family::now().fork_servers()[0];
        send(server, Signal::STOP);
        // This one takes the spare.
        let mut second = dies();
        drive_until(&mut second, jobs.next()).await;
        for _ in 0..2 {
            starts.next().await;
        }

        let mut call = context.run_sync(job::pid, ()).limiter(&three).into_future();
        // It asks the fork server, which says nothing yet, and does not look any more.
        assert!((&mut call).now_or_never().is_none());
        send(server, Signal::CONT);
        let pid = starts.next().await;
        process::kill(server);
        until("the fork server has gone", || process::is_reaped(server)).await;
        // The ends of its workers are seen by us from now on.
        (0..2).for_each(|_| end.admit_one());
        for call in [first, second] {
            assert!(matches!(call.await, Err(Error::BrokenWorker(_))));
        }
        admission.admit_one();
        assert_eq!(call.await.expect("the worker was not its fork server's"), pid);
        context.close().await.expect("a clean end");
    });
}

fn a_start_that_is_given_up_says_nothing() {
    let scratch = Scratch::new();
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    let output = program.arg("give-up-starts").current_dir(scratch.folder()).output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!((output.stdout, String::from_utf8(output.stderr).unwrap()), (Vec::new(), String::new()));
}

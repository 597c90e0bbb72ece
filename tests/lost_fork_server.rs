//! A fork server that dies, or is asked in vain, while a worker starts.

use futures::FutureExt;
use offproc_tests::process::{self, Family};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::until;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};
use std::future::IntoFuture;
use std::process::Command;

isolated!(its_worker_lives_on_and_takes_the_job, a_start_that_is_given_up_says_nothing);

fn wait_to_be_admitted() {
    arrive(&std::env::var("TICKET").unwrap());
    assert!(pass(&std::env::var("GATE").unwrap()));
}

fn its_worker_lives_on_and_takes_the_job() {
    let executor = Executor::FuturesBlockOn;
    executor.block_on(async move {
        let scratch = Scratch::new();
        let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
        let context = Case::new(executor, WorkerKind::ForkServer)
            .builder()
            .env("TICKET", arrivals.ticket())
            .env("GATE", gate.ticket())
            .init(wait_to_be_admitted)
            .retire_after_jobs(1..=1)
            .open()
            .unwrap();
        gate.admit_one();
        context.run_sync(job::pid, ()).await.expect("a first worker, from a fork server");
        arrivals.next().await;
        until("the first worker has gone", || Family::now().workers().is_empty()).await;
        let server = Family::now().fork_servers()[0];

        let mut call = context.run_sync(job::pid, ()).into_future();
        // It asks the fork server, and does not look at what it says.
        assert!((&mut call).now_or_never().is_none());
        arrivals.next().await;
        process::kill(server);
        until("the fork server has gone", || process::is_reaped(server)).await;
        gate.admit_one();
        call.await.expect("the worker was not its fork server's");
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

use super::{HEARTBEAT, by_shell, this};
use futures::FutureExt;
use offproc::{Error, WorkerContext, WorkerContextBuilder, WorkerType, is_worker};
use offproc_tests::job::{self, arrive_and_spin};
use offproc_tests::process::{kill, must_end};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use std::net::{Ipv4Addr, SocketAddr};

fn here() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn builder() -> WorkerContextBuilder {
    super::builder().heartbeat(HEARTBEAT).connect_back(here())
}

pub(crate) fn brings_calls_to_a_worker() {
    let context = builder().open().unwrap();
    assert!(context.run_sync(|()| is_worker(), ()).wait().unwrap());
    let bytes = vec![7_u8; 20_000_000];
    assert!(context.run_sync(|bytes: Vec<u8>| bytes, bytes.clone()).wait().unwrap() == bytes);
    // Both at once, and each gets its own.
    context.warm_up(2).wait().unwrap();
    let pids = smol::block_on(futures::future::join_all((0..20).map(|_| context.run_sync(job::pid, ()))));
    let pids: std::collections::BTreeSet<_> = pids.into_iter().map(Result::unwrap).collect();
    assert!(pids.len() <= 2);
    context.close().wait().unwrap();
    let totals = context.statistics();
    assert_eq!((totals.started, totals.retired, totals.crashed), (2, 2, 0));
}

pub(crate) fn ends_with_either_side() {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let running = |context: &WorkerContext| {
        let mut call = context.run_sync(arrive_and_spin, arrivals.ticket());
        let pid = smol::block_on(async {
            futures::select! {
                answer = call => panic!("{answer:?}"),
                pid = arrivals.next().fuse() => pid,
            }
        });
        (call, pid)
    };
    let context = builder().kill_on_cancel(true).open().unwrap();
    let (call, pid) = running(&context);
    drop(call);
    must_end(pid);
    let (call, pid) = running(&context);
    kill(pid);
    assert!(matches!(call.wait(), Err(Error::BrokenWorker(death)) if death.pid() == pid));
    context.close().wait().unwrap();
    let context = by_shell("\"$@\"; exit 3").connect_back(here()).open().unwrap();
    let launcher = context.run_sync(|()| std::os::unix::process::parent_id(), ()).wait().unwrap();
    let (call, pid) = running(&context);
    kill(launcher);
    assert!(matches!(call.wait(), Err(Error::BrokenWorker(death)) if death.pid() == pid));
    must_end(pid);
    context.close().wait().unwrap();
}

pub(crate) fn is_an_address_that_workers_reach() {
    let refused =
        |builder: WorkerContextBuilder| assert!(builder.open().unwrap_err().to_string().contains("connect_back"));
    refused(builder().connect_back((Ipv4Addr::UNSPECIFIED, 0).into()));
    refused(WorkerContext::builder().connect_back(here()));
    // One of no machine.
    let workers = WorkerType::command(|_| this());
    let context = builder().worker_type(workers).connect_back(([192, 0, 2, 1], 0).into()).open().unwrap();
    let error = context.run_sync(|()| (), ()).wait().unwrap_err();
    assert!(matches!(error, Error::Spawn(_)) && error.to_string().contains("192.0.2.1"), "{error}");
}

use super::{HEARTBEAT, broken, builder, by_shell};
use futures::FutureExt;
use offproc::Error;
use offproc_tests::job::{self, arrive_and_spin};
use offproc_tests::process::{kill, must_end, send};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use offproc_tests::untransferable::Refuses;
use rustix::process::Signal;
use std::time::Duration;

/// A call that runs, and the worker's process.
macro_rules! running {
    ($call:ident, $pid:ident, $arrivals:ident) => {
        let $pid = smol::block_on(async {
            futures::select! {
                answer = $call => panic!("{answer:?}"),
                pid = $arrivals.next().fuse() => pid,
            }
        });
    };
}

pub(crate) fn an_exit_is_no_goodbye() {
    let context = builder().open().unwrap();
    for code in [0, 42] {
        let death = broken(context.run_sync(|code: i32| -> () { std::process::exit(code) }, code).wait());
        assert_eq!(death.exit_status().unwrap().code(), Some(code));
        assert!(death.command().unwrap().ends_with(" --worker") && death.worker_index() == Some(0), "{death:?}");
        assert!(death.to_string().contains("--worker"), "{death}");
        assert!(death.function_type().unwrap().contains("fn(i32)"));
    }
    let death = broken(context.run_sync(|()| -> () { std::process::abort() }, ()).wait());
    assert!(death.to_string().contains("SIGABRT"), "{death}");
    assert_eq!(context.statistics().crashed, 3);
    context.close().wait().unwrap();
}

pub(crate) fn a_dropped_call_kills() {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = builder().kill_on_cancel(true).open().unwrap();
    let mut call = context.run_sync(arrive_and_spin, arrivals.ticket());
    running!(call, pid, arrivals);
    drop(call);
    must_end(pid);
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
    assert_eq!((context.statistics().killed, context.statistics().crashed), (1, 0));
}

pub(crate) fn limits_are_enforced_by_the_worker() {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = builder().open().unwrap();
    let moment = Duration::from_millis(50);
    let spin = || context.run_sync(arrive_and_spin, arrivals.ticket());
    let error = spin().time_limit(moment).wait().unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error}");
    let error = spin().cpu_limit(moment).retry_crashes(3).wait().unwrap_err();
    assert!(matches!(error, Error::CpuTimeExceeded { limit, used } if limit == moment && used >= moment), "{error}");
    let fill = |()| -> () {
        let mut memory = Vec::new();
        loop {
            memory.push(vec![1_u8; 1 << 20]);
        }
    };
    let most = 256 << 20;
    let error = context.run_sync(fill, ()).memory_limit(most).wait().unwrap_err();
    assert!(matches!(error, Error::MemoryExceeded { limit, used } if limit == most && used > most), "{error}");
    // A job that cannot be sent leaves its limits to no other.
    let unsent = context.run_sync(|_: Refuses| (), Refuses { to_go: true });
    assert!(matches!(unsent.time_limit(Duration::from_nanos(1)).wait(), Err(Error::Encode(_))));
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
}

pub(crate) fn a_stopped_worker_is_lost() {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let context = builder().heartbeat(HEARTBEAT).open().unwrap();
    let mut call = context.run_sync(arrive_and_spin, arrivals.ticket());
    running!(call, pid, arrivals);
    send(pid, Signal::STOP);
    let death = broken(call.wait());
    assert!(death.to_string().contains("heartbeat"), "{death}");
    assert_eq!(death.pid(), pid);
    must_end(pid);
    context.close().wait().unwrap();
}

/// Nothing can be sent to it any more, and nothing comes.
pub(crate) fn a_stopped_worker_is_lost_in_the_middle_of_a_job() {
    let context = builder().heartbeat(HEARTBEAT).open().unwrap();
    let pid = context.run_sync(job::pid, ()).wait().unwrap();
    send(pid, Signal::STOP);
    let death = broken(context.run_sync(|bytes: Vec<u8>| bytes.len(), vec![0; 100 << 20]).wait());
    assert!(death.to_string().contains("heartbeat"), "{death}");
    must_end(pid);
    context.close().wait().unwrap();
}

pub(crate) fn any_heartbeat_is_possible() {
    for heartbeat in [Duration::MAX, Duration::from_nanos(1 << 62)] {
        let context = builder().heartbeat(heartbeat).open().unwrap();
        assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
        context.close().wait().unwrap();
    }
}

pub(crate) fn a_killed_launcher_ends_its_worker() {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    // The shell stays, as it has more to do.
    let context = by_shell("\"$@\"; exit 3").open().unwrap();
    let launcher = context.run_sync(|()| std::os::unix::process::parent_id(), ()).wait().unwrap();
    let mut call = context.run_sync(arrive_and_spin, arrivals.ticket());
    running!(call, pid, arrivals);
    kill(launcher);
    let death = broken(call.wait());
    assert!(death.to_string().contains("SIGKILL") && death.pid() == pid, "{death}");
    must_end(pid);
    context.close().wait().unwrap();
}

pub(crate) fn a_killed_worker_costs_one_call() {
    let context = by_shell("\"$@\"; exit 3").open().unwrap();
    let pid = context.run_sync(job::pid, ()).wait().unwrap();
    let death = broken(context.run_sync(|pid: u32| kill(pid), pid).wait());
    assert_eq!(death.exit_status().unwrap().code(), Some(3));
    assert_eq!(context.run_sync(|n: u32| n + 1, 1).wait().unwrap(), 2);
    context.close().wait().unwrap();
}

//! The program is gone, and its worker, which is busy, ends.

use super::{HEARTBEAT, by_shell};
use offproc_tests::job::arrive_and_spin;
use offproc_tests::process::{must_end, send};
use offproc_tests::rendezvous::Arrivals;
use offproc_tests::scratch::Scratch;
use rustix::process::Signal;
use std::process::Command;

/// Runs a job that never ends.
pub(crate) fn program(ticket: &str) {
    let context = by_shell("\"$@\"; exit 3").heartbeat(HEARTBEAT).open().unwrap();
    let _ = context.run_sync(arrive_and_spin, ticket.to_owned()).wait();
}

fn ends_after(signal: Signal) {
    let scratch = Scratch::new();
    let arrivals = Arrivals::new(&scratch, "arrivals");
    let mut program = Command::new(std::env::current_exe().unwrap());
    let mut program = program.args(["--program", &arrivals.ticket()]).spawn().unwrap();
    let worker = smol::block_on(arrivals.next());
    send(program.id(), signal);
    must_end(worker);
    let _ = program.kill();
    program.wait().unwrap();
}

pub(crate) fn a_killed_one_leaves_no_busy_worker() {
    ends_after(Signal::KILL);
}

pub(crate) fn a_stopped_one_leaves_none_either() {
    ends_after(Signal::STOP);
}

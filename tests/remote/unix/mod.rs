mod calls;
mod connect_back;
mod deaths;
mod engines;
mod programs;
mod safety;
mod starts;

use offproc::{BrokenWorkerError, Error, WorkerContext, WorkerContextBuilder, WorkerType};
use std::process::Command;
use std::time::Duration;

type Test = (&'static str, fn());

/// A list of tests by their names.
macro_rules! tests {
    ($($module:ident: $($name:ident),*;)*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*),*]
    };
}

const TESTS: &[Test] = tests! {
    calls: answers_as_any_worker, large_values_travel_both_ways, maps_items, has_no_stdin_and_prints_to_stderr,
        refuses_what_stays_on_its_machine, acts_on_its_settings, leaves_by_itself, is_asked_to_leave;
    starts: indices_whose_command_fails_rest, no_more_workers_are_started_than_there_are_indices, slow_failures_end,
        the_cause_is_in_the_error, a_greeting_is_no_worker, another_build_is_none,
        settings_that_cannot_act_are_refused, a_panic_in_init_is_an_error_as_ever;
    deaths: an_exit_is_no_goodbye, a_dropped_call_kills, limits_are_enforced_by_the_worker, a_stopped_worker_is_lost,
        a_stopped_worker_is_lost_in_the_middle_of_a_job, any_heartbeat_is_possible,
        a_killed_launcher_ends_its_worker, a_killed_worker_costs_one_call;
    programs: a_killed_one_leaves_no_busy_worker, a_stopped_one_leaves_none_either;
    engines: ssh, bwrap, slurm_runs_on_both_nodes, slurm_loses_a_cable, slurm_loses_a_node;
    connect_back: brings_calls_to_a_worker, ends_with_either_side, is_an_address_that_workers_reach;
    safety: no_variable_makes_a_worker, serving_needs_a_program;
};

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--worker"] => offproc::serve(),
        ["--plain"] => safety::plain(),
        ["--program", ticket] => programs::program(ticket),
        ref names => run(names),
    }
}

fn run(names: &[&str]) {
    if names.contains(&"--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let names: Vec<_> = names.iter().filter(|name| !name.starts_with('-')).collect();
    let wanted = TESTS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|part| name.contains(**part)));
    let mut failed = Vec::new();
    for (name, test) in wanted {
        println!("test {name} ...");
        if std::panic::catch_unwind(test).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
    println!("test result: ok");
}

/// This program as a worker.
fn this() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("its file"));
    command.arg("--worker");
    command
}

fn builder() -> WorkerContextBuilder {
    WorkerContext::builder().worker_type(WorkerType::command(|_| this())).max_concurrency(2)
}

/// With a worker that a shell starts by this line: `"$@"` is the worker.
fn by_shell(line: &'static str) -> WorkerContextBuilder {
    builder().worker_type(WorkerType::command(move |_| shell(line)))
}

fn shell(line: &str) -> Command {
    let worker = this();
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh"]).arg(worker.get_program()).args(worker.get_args());
    command
}

fn broken<T: std::fmt::Debug>(answer: Result<T, Error>) -> BrokenWorkerError {
    match answer {
        Err(Error::BrokenWorker(death)) => death,
        other => panic!("{other:?}"),
    }
}

/// Short enough for a test to wait for three of them, and long enough for a machine that does much else.
const HEARTBEAT: Duration = Duration::from_millis(500);

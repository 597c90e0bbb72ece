//! Signals in workers are as they were when the program started, whatever it has changed since.

use offproc_tests::isolated;
use offproc_tests::process::{Family, has_ended, must_end};
use rustix::process::{Pid, getpgid};
use std::os::unix::process::CommandExt;
use std::process::Command;

isolated!(that_were_ignored_at_the_start_stay_ignored, reach_no_fork_server_of_a_group_of_its_own);

/// The process that runs the tests may have ignored real-time signals.
const STANDARD: u64 = (1 << 31) - 1;

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The program was started to ignore SIGHUP (as by `nohup`), SIGQUIT and SIGCHLD, and has installed a handler for the
/// first, ignored SIGUSR2, and blocked all.
fn that_were_ignored_at_the_start_stay_ignored() {
    let expected = [libc::SIGHUP, libc::SIGQUIT, libc::SIGCHLD, libc::SIGINT, libc::SIGPIPE];
    let expected = expected.into_iter().fold(0, |set, signal| set | bit(signal));
    for workers in ["spawn", "fork_server", "fork"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
        program.args(["dispositions", workers]);
        // SAFETY: system calls only.
        unsafe {
            program.pre_exec(|| {
                for signal in [libc::SIGHUP, libc::SIGQUIT, libc::SIGCHLD] {
                    libc::signal(signal, libc::SIG_IGN);
                }
                Ok(())
            });
        }
        let output = program.output().expect("it starts");
        assert!(output.status.success(), "{workers}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let numbers = said.split_whitespace().map(|number| u64::from_str_radix(number, 16).unwrap() & STANDARD);
        // Of a worker, and of a worker's worker.
        let processes = if workers == "spawn" { 2 } else { 1 };
        assert_eq!(numbers.collect::<Vec<_>>(), [expected, 0, 0].repeat(processes), "{workers}: {said}");
    }
}

fn reach_no_fork_server_of_a_group_of_its_own() {
    use offproc::{Signals, WorkerContext, WorkerType};
    use offproc_tests::job;
    let open = |own: bool| {
        let builder = WorkerContext::builder().worker_type(WorkerType::ForkServer);
        let builder = if own { builder.signals(Signals::OwnGroup) } else { builder };
        builder.open().unwrap()
    };
    for own in [false, true] {
        let context = open(own);
        let worker = futures::executor::block_on(context.run_sync(job::pid, ())).unwrap();
        let [server] = Family::now().fork_servers()[..] else { panic!("not one fork server") };
        let group = |pid: u32| getpgid(Pid::from_raw(pid.cast_signed())).unwrap();
        assert_eq!(group(server) != getpgid(None).unwrap(), own);
        assert_eq!(group(worker) != getpgid(None).unwrap(), own);
        assert!(!has_ended(server));
        futures::executor::block_on(context.close()).unwrap();
        must_end(server);
    }
}

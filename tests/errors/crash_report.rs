//! What a `BrokenWorkerError` says of a worker's death: each part by a method, and all of it in print.

use offproc::{BrokenWorkerError, Error, Phase, Resource, WorkerContext};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::Scratch;
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, WorkerKind, isolated, job, matrix};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

matrix!(
    names_the_function_its_type_and_its_caller,
    names_the_init_function,
    distinguishes_retire_from_idle,
    reports_how_long_the_job_ran,
    reports_what_the_worker_has_used,
    is_printed_in_one_line_or_in_full,
    is_as_complete_for_an_abandoned_job,
    reports_where_a_fault_was,
    reports_a_stack_overflow,
    reports_the_size_of_a_limited_stack,
    reports_the_sender_of_the_signal,
    reports_no_more_of_a_signal_than_it_is_asked_for,
    distinguishes_a_process_s_kill_from_the_kernel_s,
    has_the_last_lines_of_stderr,
    does_not_wait_for_who_holds_stderr,
);

isolated!(a_worker_without_memory_is_reported, stderr_is_whole_when_the_program_ends,);

async fn death_of<A, R>(context: &WorkerContext, f: fn(A) -> R, argument: A) -> BrokenWorkerError
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned + std::fmt::Debug,
{
    match context.run_sync(f, argument).await {
        Err(Error::BrokenWorker(death)) => death,
        other => panic!("not a broken worker: {other:?}"),
    }
}

fn exit_with(code: i32) -> String {
    std::process::exit(code);
}

async fn names_the_function_its_type_and_its_caller(case: Case) {
    let context = case.context();
    let line = line!() + 1;
    let death = match context.run_sync(exit_with, 9).await {
        Err(Error::BrokenWorker(death)) => death,
        other => panic!("not a broken worker: {other:?}"),
    };
    assert_eq!(death.function(), Some("crash_report::exit_with"));
    assert_eq!(death.function_type(), Some("fn(i32) -> alloc::string::String"));
    assert!(death.function_offset().is_some_and(|offset| offset > 0));
    let caller = death.called_at().expect("it was called");
    assert!(caller.starts_with(&format!("{}:{line}:", file!())), "{caller}");
    // Each death names its own job.
    let death = death_of(&context, job::end_at_once, 3).await;
    assert_eq!(death.function(), Some("offproc_tests::job::end_at_once"));
    context.close().await.unwrap();
}

fn fail_to_begin() {
    job::end_at_once(4);
}

async fn names_the_init_function(case: Case) {
    let context = case.builder().init(fail_to_begin).open().unwrap();
    let death = death_of(&context, job::pid, ()).await;
    assert_eq!(death.phase(), Phase::Init);
    assert_eq!(death.function(), Some("crash_report::fail_to_begin"));
    assert_eq!((death.called_at(), death.ran_for()), (None, None), "it never had the job");
    context.close().await.unwrap();
}

fn end_in_retire() -> bool {
    job::end_at_once(5);
    false
}

async fn distinguishes_retire_from_idle(case: Case) {
    let context = case.builder().retire(end_in_retire).open().unwrap();
    context.run_sync(job::pid, ()).await.unwrap();
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Retire, "{death}");

    let context = case.builder().retire(|| false).open().unwrap();
    let pid = context.run_sync(job::pid, ()).await.unwrap();
    // It has sent its decision: the second call has waited for that.
    assert_eq!(context.run_sync(job::pid, ()).await.unwrap(), pid);
    let gone = || context.statistics().idle_workers == 0;
    // And it is asleep, or would soon be, when it is killed.
    let idle = || offproc_tests::process::is_asleep(pid);
    until("the worker sleeps", idle).await;
    offproc_tests::process::kill(pid);
    until("its death is seen", gone).await;
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Idle, "{death}");
}

async fn reports_how_long_the_job_ran(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    context.run_sync(job::pid, ()).await.unwrap();
    let die_at_the_gate = |(ticket, gate): (String, String)| {
        arrive(&ticket);
        assert!(pass(&gate));
        job::end_at_once(1);
    };
    let begin = Instant::now();
    let mut call = context.run_sync(die_at_the_gate, (arrivals.ticket(), gate.ticket())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    let arrived = Instant::now();
    smol::Timer::after(Duration::from_millis(50)).await;
    let waited = arrived.elapsed();
    gate.admit_one();
    let Err(Error::BrokenWorker(death)) = call.await else { panic!("not a broken worker") };
    let ran_for = death.ran_for().expect("it had a job");
    assert!(waited < ran_for && ran_for < begin.elapsed(), "{ran_for:?}");
    context.close().await.unwrap();
}

fn use_memory_and_time(bytes: usize) {
    let block = std::hint::black_box(vec![1_u8; bytes]);
    let begin = Instant::now();
    let mut turns = 0_u64;
    while begin.elapsed() < Duration::from_millis(30) || turns < 1_000_000 {
        turns = std::hint::black_box(turns + 1);
    }
    drop(block);
    job::end_at_once(6);
}

async fn reports_what_the_worker_has_used(case: Case) {
    const BLOCK: usize = 64 << 20;
    let context = case.context();
    let death = death_of(&context, use_memory_and_time, BLOCK).await;
    let memory = death.peak_memory().expect("more than the test itself had");
    assert!((BLOCK as u64..2 * BLOCK as u64).contains(&memory), "{memory}");
    let (user, system) = (death.user_time().expect("it is ours"), death.system_time().expect("it is ours"));
    assert!(user + system > Duration::from_millis(1) && user + system < Duration::from_secs(60), "{user:?} {system:?}");
    context.close().await.unwrap();
}

async fn is_printed_in_one_line_or_in_full(case: Case) {
    let context = case.context();
    let death = death_of(&context, job::raise, libc::SIGKILL).await;
    let (short, full) = (format!("{death}"), format!("{death:#}"));
    assert!(
        short.contains("was killed by SIGKILL") && short.contains("while it ran offproc_tests::job::raise"),
        "{short}"
    );
    assert!(!short.contains('\n'), "{short}");
    for part in ["was killed by SIGKILL", "offproc_tests::job::raise", "fn(i32)", file!(), "ran for", "CPU time"] {
        assert!(full.contains(part), "{part} is not in: {full}");
    }
    println!("{short}\n{full}");
    // So does the error around it.
    assert_eq!(Error::from(death.clone()).to_string(), short);
    assert_eq!(format!("{:#}", Error::from(death.clone())), full);
    // And so does what prints an error with its causes: the line, then the others, each once.
    let around = anyhow::Error::from(Error::from(death.clone())).context("a picture");
    let (_, details) = full.split_once('\n').unwrap();
    let report = format!("report of worker {}", death.pid());
    assert_eq!(format!("{around:#}"), format!("a picture: {short}: {report}\n{details}"));
    let for_people = format!("{around:?}").replace("\n       ", "\n");
    assert_eq!(for_people, format!("a picture\n\nCaused by:\n    0: {short}\n    1: {report}\n{details}"));
    context.close().await.unwrap();
}

async fn is_as_complete_for_an_abandoned_job(case: Case) {
    let scratch = Scratch::new();
    let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
    let context = case.context();
    let die_at_the_gate = |(ticket, gate): (String, String)| {
        arrive(&ticket);
        assert!(pass(&gate));
        job::end_at_once(1);
    };
    let mut call = context.run_sync(die_at_the_gate, (arrivals.ticket(), gate.ticket())).into_future();
    drive_until(&mut call, arrivals.next()).await;
    drop(call);
    gate.admit_one();
    let death = context.close().await.unwrap_err();
    assert_eq!(death.phase(), Phase::Job);
    assert_eq!(death.function_type(), Some("fn((alloc::string::String, alloc::string::String))"));
    assert!(death.ran_for().is_some() && death.called_at().is_some(), "{death:#}");
    // The fork server reaps, and passes the status on.
    assert!(death.user_time().is_some() || case.workers() != WorkerKind::ForkServer);
    assert!(death.user_time().is_some());
}

fn read_at(address: usize) -> u8 {
    // SAFETY: there is no such thing, which is the point.
    unsafe { std::ptr::read_volatile(address as *const u8) }
}

async fn reports_where_a_fault_was(case: Case) {
    let context = case.builder().fault_details(true).open().unwrap();
    let death = death_of(&context, read_at, 0x10).await;
    let fault = death.fault().expect("it was asked for");
    assert_eq!((fault.code(), fault.code_name(), fault.address()), (1, Some("SEGV_MAPERR"), Some(0x10)));
    assert_eq!((fault.sender(), fault.system_call()), (None, None));
    assert!(death.to_string().contains("was killed by SIGSEGV (SEGV_MAPERR at 0x10)"), "{death}");
    context.close().await.unwrap();
}

#[expect(unconditional_recursion, reason = "until there is no stack any more")]
fn recurse(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 128]);
    recurse(depth + 1) + block[0]
}

async fn reports_a_stack_overflow(case: Case) {
    let context = case.builder().fault_details(true).open().unwrap();
    let death = death_of(&context, recurse, 0).await;
    let fault = death.fault().expect("the handler has a stack of its own");
    assert!(fault.code_name().is_some_and(|name| name.starts_with("SEGV_")) && fault.address().is_some(), "{fault}");
    assert!(fault.is_stack_overflow(), "{fault}");
    assert!(fault.stack_size().is_some_and(|size| size >= 1 << 20), "{fault}");
    assert!(death.to_string().contains("its stack of ") && death.to_string().contains("has overflowed"), "{death}");
    // Of a thread that the job has started: it has no stack for the handler, unless std has given it one.
    let in_thread = |()| std::thread::spawn(|| recurse(0)).join().map(drop).unwrap();
    let death = death_of(&context, in_thread, ()).await;
    assert!(death.to_string().contains("the stack of a thread has overflowed"), "{death}");
    assert_eq!(death.fault().and_then(|fault| fault.stack_size()), None);
    // Other faults are not reported as one.
    for address in [0x10, usize::MAX >> 20] {
        let death = death_of(&context, read_at, address).await;
        assert!(
            death.fault().is_some_and(|fault| !fault.is_stack_overflow() && fault.stack_size().is_none()),
            "{death}"
        );
        assert!(!death.to_string().contains("overflow"), "{death}");
    }
    context.close().await.unwrap();
}

async fn reports_the_size_of_a_limited_stack(case: Case) {
    // Bytes on the stack, in one frame for each 64 KiB.
    fn fill(bytes: usize) -> usize {
        let block = std::hint::black_box([1_u8; 64 << 10]);
        if bytes < block.len() { 0 } else { fill(bytes - block.len()) + usize::from(block[0]) }
    }
    let context = case.builder().fault_details(true).resource_limit(Resource::Stack, 1 << 20).open().unwrap();
    assert_eq!(context.run_sync(fill, 128 << 10).await.unwrap(), 2);
    // A fork runs on the stack of a thread of the program, which no limit changes.
    if case.workers() != WorkerKind::Fork {
        let death = death_of(&context, fill, 2 << 20).await;
        let fault = death.fault().expect("it was asked for");
        assert!(fault.is_stack_overflow(), "{fault}");
        let size = fault.stack_size().expect("of the thread that runs jobs");
        assert!(((1 << 20) - (64 << 10)..=1 << 20).contains(&size), "{size}");
    }
    context.close().await.unwrap();
}

async fn reports_the_sender_of_the_signal(case: Case) {
    let context = case.builder().fault_details(true).open().unwrap();
    for signal in [libc::SIGSEGV, libc::SIGFPE, libc::SIGSYS, libc::SIGTRAP] {
        let death = death_of(&context, job::raise, signal).await;
        let fault = death.fault().expect("it was asked for");
        assert_eq!((fault.code_name(), fault.sender()), (Some("SI_USER"), Some(death.pid())), "{death}");
        assert_eq!((fault.address(), fault.system_call()), (None, None));
    }
    // A fault of a fork of the worker is not the worker's, which here reports none.
    let die_after_a_child = |()| {
        job::fork_and(|| assert_eq!(read_at(0x20), 0));
        // SAFETY: any child will do; the default takes no code of ours.
        unsafe {
            libc::wait(std::ptr::null_mut());
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        }
        job::raise(libc::SIGSEGV);
    };
    let death = death_of(&context, die_after_a_child, ()).await;
    assert_eq!((death.fault(), death.exit_status().and_then(|status| status.signal())), (None, Some(libc::SIGSEGV)));
    context.close().await.unwrap();
}

async fn reports_no_more_of_a_signal_than_it_is_asked_for(case: Case) {
    let context = case.context();
    let caught = |()| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let mask = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS]
        .iter()
        .fold(0, |mask, signal| mask | 1_u64 << (signal - 1));
    // Signals are at their defaults.
    assert_eq!(context.run_sync(caught, ()).await.unwrap() & mask, 0);
    let death = death_of(&context, read_at, 0x10).await;
    assert_eq!((death.fault(), death.stderr()), (None, None));
    context.close().await.unwrap();
}

async fn distinguishes_a_process_s_kill_from_the_kernel_s(case: Case) {
    let context = case.context();
    let death = death_of(&context, job::raise, libc::SIGKILL).await;
    // Unless the kernel has killed a process at the same time, which it would count.
    assert_eq!(death.oom_killed(), Some(false));
    assert!(format!("{death:#}").contains("not by the kernel"), "{death:#}");
    let death = death_of(&context, job::raise, libc::SIGTERM).await;
    assert_eq!(death.oom_killed(), Some(false));
    context.close().await.unwrap();
}

/// What has come out of this process's stderr, which is a file here.
fn printed() -> String {
    std::fs::read_to_string("/proc/self/fd/2").unwrap()
}

fn complain(lines: u32) {
    for line in 1..=lines {
        eprintln!("complaint {line}");
    }
}

fn complain_and_die(lines: u32) {
    complain(lines);
    eprint!("and then");
    job::end_at_once(1);
}

async fn has_the_last_lines_of_stderr(case: Case) {
    let context = case.builder().keep_stderr(true).open().unwrap();
    context.run_sync(complain, 3).await.unwrap();
    let death = death_of(&context, complain_and_die, 100_000).await;
    let expected: Vec<_> = (99_982..=100_000).map(|line| format!("complaint {line}")).collect();
    assert_eq!(death.stderr(), Some(&*format!("{}\nand then", expected.join("\n"))));
    assert!(format!("{death:#}").ends_with("\n    complaint 100000\n    and then"), "{death:#}");
    // All of it came out, in order.
    let all: String = (1..=3).chain(1..=100_000).map(|line| format!("complaint {line}\n")).collect();
    until("all has come out", || printed().ends_with("and then")).await;
    assert!(printed().contains(&format!("{all}and then")), "something is missing");
    // A worker that has said nothing.
    assert_eq!(death_of(&context, job::end_at_once, 1).await.stderr(), Some(""));
    context.close().await.unwrap();
}

async fn does_not_wait_for_who_holds_stderr(case: Case) {
    let scratch = Scratch::new();
    let gate = Gate::new(&scratch, "gate");
    let context = case.builder().keep_stderr(true).open().unwrap();
    let die = |gate: String| {
        eprintln!("the worker");
        job::fork_and(|| {
            assert!(pass(&gate));
            eprintln!("what it has left behind");
        });
        job::end_at_once(1);
    };
    let death = death_of(&context, die, gate.ticket()).await;
    assert_eq!(death.stderr(), Some("the worker\n"));
    context.close().await.unwrap();
    assert!(!printed().contains("left behind"));
    gate.admit_one();
    // It still reaches the terminal.
    until("it has come out", || printed().contains("what it has left behind\n")).await;
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

/// A new memory control group inside of our own, with a limit. `None` where we may not make one.
fn small_group(bytes: u64) -> Option<PathBuf> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (root, limit) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let own = Path::new(root).join(path.trim_start_matches('/'));
        let group = own.join(format!("offproc-test-{}", std::process::id()));
        std::fs::create_dir(&group).ok()?;
        if std::fs::write(group.join(limit), bytes.to_string()).is_err() {
            std::fs::remove_dir(&group).unwrap();
            return None;
        }
        Some(group)
    })
}

fn a_worker_without_memory_is_reported() {
    let Some(group) = small_group(64 << 20) else {
        println!("skipped: this user may not make control groups");
        return;
    };
    let output = Command::new(PROGRAM).arg("out-of-memory").arg(&group).output().unwrap();
    // It takes a moment until the kernel has noticed that they are gone.
    offproc_tests::waiting::blocking_until(|| std::fs::remove_dir(&group).is_ok(), || "the group stays".to_owned());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "Some(false) Some(true) Some(false)\n", "{output:?}");
}

fn stderr_is_whole_when_the_program_ends() {
    let expected: String = (1..=6_000).map(|line| format!("complaint {line}\n")).collect();
    for how in ["idle", "dead", "exit"] {
        let mut program = Command::new(PROGRAM);
        let program = program.args(["complain", how]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = program.spawn().unwrap();
        // It does not fit into one pipe, but into that and the worker's; and nothing reads before the program ends.
        let mut said = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ends\n");
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{how}");
        assert!(String::from_utf8_lossy(&output.stderr) == expected, "{how}: {}", output.stderr.len());
    }
}

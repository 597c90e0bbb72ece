use super::death::Death;
use super::exit_info::ExitInfo;
use super::function::Task;
use super::*;
use crate::sys::faults::Record;
use crate::sys::reap::Usage;
use serde_json::{from_str, to_string};
use std::error::Error as _;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::Location;
use std::process::ExitStatus;
use std::time::Duration;

fn crash(_: u32) {
    std::hint::black_box(());
}

/// A death with all its parts.
fn death(phase: Phase) -> Death {
    let function = crash as *const () as usize;
    let task = Task { function, type_name: std::any::type_name::<fn(u32)>(), caller: Some(Location::caller()) };
    Death {
        pid: 4711,
        phase,
        violation: None,
        task: Some(task.into()),
        ran_for: Some(Duration::from_millis(5)),
        by_us: false,
        exit: ExitInfo {
            at: Some(std::time::Instant::now()),
            status: Some(ExitStatus::from_raw(libc::SIGSEGV | 0x80)),
            usage: Some(Usage { user: Duration::from_millis(3), system: Duration::from_micros(7), memory: 1 << 30 }),
            peak_memory: Some(1 << 30),
            fault: Some(Fault(Record { signal: libc::SIGSEGV, code: 1, number: 0, address: 0x10, stack: 8 << 20 })),
            is_unreported_fault: true,
            by_oom_killer: Some(false),
            stderr: Some("the last\nlines\n".to_owned()),
            ..ExitInfo::default()
        },
    }
}

/// One of each, and more of those that have parts.
fn all() -> Vec<Error> {
    let panic = |backtrace| PanicError { message: "m".to_owned(), location: Some("a.rs:1:2".to_owned()), backtrace };
    let mut phases: Vec<Error> = Phase::ALL.map(|phase| BrokenWorkerError::of(death(phase)).into()).into();
    let mut many = BrokenWorkerError::of(death(Phase::Job));
    for by_us in [false, true].into_iter().cycle().take(30) {
        many.merge(BrokenWorkerError::of(Death {
            by_us,
            violation: Some("nonsense".to_owned()),
            ..death(Phase::Idle)
        }));
    }
    let unknown = Death { task: None, ran_for: None, exit: ExitInfo::default(), ..death(Phase::Start) };
    let killed = ExitInfo { status: Some(ExitStatus::from_raw(libc::SIGKILL)), ..ExitInfo::default() };
    let early = ExitInfo { status: Some(ExitStatus::from_raw(127 << 8)), ..ExitInfo::default() };
    let constructor = ExitInfo { status: Some(ExitStatus::from_raw(3 << 8)), ..ExitInfo::default() };
    let could_not_begin = BrokenWorkerError::of(Death { exit: constructor, task: None, ..death(Phase::Start) });
    let mut all = vec![
        Error::Panicked(panic(None)),
        Error::Panicked(panic(Some(Box::new(backtrace::Backtrace::Text("   0: f\n".to_owned()))))),
        Error::BrokenWorker(many),
        Error::BrokenWorker(BrokenWorkerError::of(unknown)),
        Error::BrokenWorker(BrokenWorkerError::of(Death { exit: killed, ..death(Phase::Job) })),
        Error::BrokenWorker(BrokenWorkerError::of(Death { exit: early, ..death(Phase::Start) })),
        Error::Encode(EncodeError("no".to_owned())),
        Error::Decode(DecodeError("neither".to_owned())),
        Error::TimedOut,
        Error::DeadlineExceeded(Station::Queued),
        Error::DeadlineExceeded(Station::Starting),
        Error::DeadlineExceeded(Station::Running),
        Error::Overloaded,
        Error::State(StateError::new("u32", None)),
        Error::State(StateError::new("u32", Some("alloc::string::String"))),
        Error::CpuTimeExceeded { limit: Duration::from_secs(1), used: Duration::from_millis(1001) },
        Error::MemoryExceeded { limit: 1 << 20, used: 1 << 30 },
        Error::Spawn(io::Error::from_raw_os_error(libc::EMFILE)),
        Error::Spawn(io::ErrorKind::NotFound.into()),
        Error::Spawn(io::Error::new(io::ErrorKind::TimedOut, "not ready")),
        Error::Spawn(io::Error::other(could_not_begin)),
        Error::Closed,
    ];
    all.append(&mut phases);
    // A new variant belongs above.
    for error in &all {
        match error {
            Error::Panicked(_) | Error::BrokenWorker(_) | Error::Encode(_) | Error::Decode(_) => {}
            Error::TimedOut | Error::CpuTimeExceeded { .. } | Error::MemoryExceeded { .. } => {}
            Error::DeadlineExceeded(_) | Error::Overloaded | Error::Spawn(_) | Error::Closed | Error::State(_) => {}
        }
    }
    all
}

/// The results of all its methods.
fn content(error: &Error) -> Vec<String> {
    let mut content = vec![
        format!("{:?}", std::mem::discriminant(error)),
        format!("{error}\n{error:#}"),
        format!("{:?}", (error.is_timeout(), error.is_crash(), error.is_panic(), error.is_overloaded())),
        format!("{:?}", error.station()),
        format!("{:?}", error.source().map(ToString::to_string)),
    ];
    match error {
        Error::Panicked(panic) => {
            content.push(format!("{:?}", (panic.message(), panic.location(), panic.backtrace())));
        }
        Error::BrokenWorker(death) => content.extend(told_of(death)),
        Error::Encode(_) | Error::Decode(_) | Error::TimedOut | Error::DeadlineExceeded(_) => {}
        Error::Overloaded | Error::Closed => {}
        Error::State(error) => content.push(format!("{:?}", (error.wanted(), error.found()))),
        Error::CpuTimeExceeded { limit, used } => content.push(format!("{limit:?} {used:?}")),
        Error::MemoryExceeded { limit, used } => content.push(format!("{limit} {used}")),
        Error::Spawn(error) => {
            content.push(format!("{error} {error:#} {:?} {:?}", error.kind(), error.raw_os_error()));
            if let Some(death) = error.get_ref().and_then(|error| error.downcast_ref::<BrokenWorkerError>()) {
                content.push("a death".to_owned());
                content.extend(told_of(death));
            }
        }
    }
    content
}

fn told_of(death: &BrokenWorkerError) -> Vec<String> {
    vec![
        format!("{:?}", (death.pid(), death.exit_status(), death.phase(), death.count(), death.killed())),
        format!("{:?}", (death.function(), death.function_offset(), death.function_type(), death.called_at())),
        format!("{:?}", (death.ran_for(), death.user_time(), death.system_time(), death.peak_memory())),
        format!("{:?}", (death.fault(), death.core_dumped(), death.oom_killed(), death.stderr())),
    ]
}

fn through_postcard(error: &Error) -> Error {
    postcard::from_bytes(&postcard::to_allocvec(error).unwrap()).unwrap()
}

fn through_json(error: &Error) -> Error {
    from_str(&to_string(error).unwrap()).unwrap()
}

#[test]
fn each_is_the_same_after_a_trip() {
    for error in all() {
        // Before a name was looked up, so that the other end looks it up.
        let sent = through_postcard(&error);
        let expected = content(&error);
        assert_eq!(content(&sent), expected);
        assert_eq!(content(&through_json(&error)), expected);
        assert_eq!(content(&through_postcard(&through_json(&through_postcard(&sent)))), expected);
    }
}

#[test]
fn the_program_is_described_as_it_is_where_the_worker_died() {
    let exit = ExitInfo { status: Some(ExitStatus::from_raw(3 << 8)), ..ExitInfo::default() };
    let early = Error::from(BrokenWorkerError::of(Death { exit, task: None, ..death(Phase::Start) }));
    let elsewhere = to_string(&early).unwrap().replace("\"preload\":null", "\"preload\":\"libhook.so\"");
    let elsewhere: Error = from_str(&elsewhere).unwrap();
    assert!(elsewhere.to_string().contains("LD_PRELOAD adds libhook.so"), "{elsewhere}");
    assert_eq!(content(&through_postcard(&elsewhere)), content(&elsewhere));
}

#[test]
fn what_people_can_read_has_names_at_once() {
    let json = to_string(&Error::from(BrokenWorkerError::of(death(Phase::Job)))).unwrap();
    assert!(json.contains("error::tests::crash"), "{json}");
}

#[test]
fn a_death_without_any_is_refused() {
    let json = r#"{"BrokenWorker":{"deaths":[],"unnamed":1,"unnamed_killed":0}}"#;
    let error = from_str::<Error>(json).unwrap_err();
    assert!(error.to_string().contains("must have a death"), "{error}");
}

#[test]
fn counts_of_another_process_do_not_overflow() {
    let json = to_string(&BrokenWorkerError::of(death(Phase::Job))).unwrap();
    let most = format!("\"unnamed\":{0},\"unnamed_killed\":{0}", usize::MAX);
    let mut error: BrokenWorkerError = from_str(&json.replace("\"unnamed\":0,\"unnamed_killed\":0", &most)).unwrap();
    error.merge(error.clone());
    assert_eq!((error.count(), error.killed()), (usize::MAX, usize::MAX));
    assert!(error.to_string().contains(&format!("and {} more", usize::MAX)), "{error}");
}

//! A program that uses the whole of offproc once and prints a line for each part, to be started in unusual ways.
//!
//! `environments-probe [PART …]` tries the parts named, or all; it exits with 1 if one does not do what it is to do.

use offproc::{Error, Fd, SharedBytes, Transport, WorkerContext, WorkerType, run_sync};
use std::future::{Future, IntoFuture};
use std::io::{PipeReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Seen = Result<(), Box<dyn std::error::Error>>;

type Part = (&'static str, fn() -> Seen);

const PARTS: [Part; 10] = [
    ("value", value),
    ("output", output),
    ("panic", panic),
    ("crash", crash),
    ("time limit", time_limit),
    ("drop", dropped),
    ("bytes", bytes),
    ("descriptor", descriptor),
    ("stream", stream),
    ("fork server", fork_server),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut all_well = true;
    for (name, part) in PARTS {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == name) {
            continue;
        }
        match part() {
            Ok(()) => println!("{name}: ok"),
            Err(seen) => {
                println!("{name}: {seen:#}");
                all_well = false;
            }
        }
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn finish<F: IntoFuture>(call: F) -> F::Output {
    futures::executor::block_on(call.into_future())
}

fn double(n: u32) -> u32 {
    n * 2
}

fn is_42(result: Result<u32, Error>) -> Seen {
    match result? {
        42 => Ok(()),
        other => Err(format!("42 was expected, not {other}").into()),
    }
}

fn spin_for_ever(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

fn value() -> Seen {
    is_42(finish(run_sync(double, 21)))
}

fn output() -> Seen {
    Ok(finish(run_sync(|()| println!("a job's line"), ()))?)
}

fn panic() -> Seen {
    match finish(run_sync(|n: u32| -> u32 { panic!("no {n}") }, 7)) {
        Err(Error::Panicked(panic)) if panic.message() == "no 7" => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn crash() -> Seen {
    match finish(run_sync(|()| -> () { std::process::abort() }, ())) {
        Err(Error::BrokenWorker(death)) if death.exit_status().and_then(|s| s.signal()) == Some(6) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn time_limit() -> Seen {
    match finish(run_sync(spin_for_ever, ()).time_limit(Duration::from_millis(50))) {
        Err(Error::TimedOut) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// A job that is dropped while it runs is killed, and `close` finds its worker gone and nothing to report.
fn dropped() -> Seen {
    let context = WorkerContext::builder().open()?;
    is_42(finish(context.run_sync(double, 21)))?; // so that there is a worker, which the next poll hands the job to
    {
        let call = pin!(context.run_sync(spin_for_ever, ()).kill_on_cancel(true).into_future());
        if let Poll::Ready(result) = call.poll(&mut Context::from_waker(Waker::noop())) {
            return Err(format!("an endless job ended: {result:?}").into());
        }
    }
    Ok(finish(context.close())?)
}

fn bytes() -> Seen {
    let table = SharedBytes::from_fn(1 << 20, |bytes| bytes.fill(1))?;
    let sum = finish(run_sync(|table: SharedBytes| table.iter().map(|b| u32::from(*b)).sum::<u32>(), table))?;
    if sum == 1 << 20 { Ok(()) } else { Err(format!("{sum} of 1048576 bytes arrived").into()) }
}

fn descriptor() -> Seen {
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(b"sent")?;
    drop(writer);
    let read = |Fd(mut pipe): Fd<PipeReader>| {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
    };
    match finish(run_sync(read, Fd(reader)))??.as_str() {
        "sent" => Ok(()),
        other => Err(format!("'{other}' arrived").into()),
    }
}

fn stream() -> Seen {
    let context = WorkerContext::builder().transport(Transport::Stream).open()?;
    is_42(finish(context.run_sync(double, 21)))?;
    Ok(finish(context.close())?)
}

fn fork_server() -> Seen {
    let context = WorkerContext::builder().worker_type(WorkerType::ForkServer).open()?;
    is_42(finish(context.run_sync(double, 21)))?;
    Ok(finish(context.close())?)
}

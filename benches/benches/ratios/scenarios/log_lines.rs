//! Log lines of a job: forwarded to the program's subscriber, against printed to a pipe that the program reads.

use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::stats::{Samples, time};
use offproc::{Fd, WorkerContext};
use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::{LineWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const LINES: u64 = 100_000;

/// The least speed of forwarding, against that of printing.
const LEAST: f64 = 0.5;

/// In turn, so that a disturbance meets both: a ratio below the bar is then a failure on any machine.
pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    tracing::subscriber::set_global_default(Lines::default())?;
    let context = WorkerContext::builder().forward_tracing(LevelFilter::INFO).open()?;
    let (mut forwarded, mut printed) = (Samples::default(), Samples::default());
    for round in 0..=options.pick(5, 20) {
        let (begin, before) = (Instant::now(), SEEN.load(Ordering::Relaxed));
        context.run_sync(forward, LINES).wait()?;
        let forwarding = begin.elapsed();
        let seen = SEEN.load(Ordering::Relaxed) - before;
        if seen != LINES {
            return Err(format!("of {LINES} lines, {seen} have come").into());
        }
        let begin = Instant::now();
        print_to_pipe(&context)?;
        // In the first one, the worker starts.
        if round > 0 {
            forwarded.push(forwarding);
            printed.push(begin.elapsed());
        }
    }
    context.close().wait()?;
    let (forwarded, printed) = (forwarded.summary().p50(), printed.summary().p50());
    let name = "lines a second that a job says, forwarded, against printed to a pipe";
    let from = format!("{} / {} for {LINES}", time(printed), time(forwarded));
    let speed = printed / forwarded;
    output.figure(name, speed, "×", Bar::AtLeast(LEAST), from);
    if speed < LEAST {
        return Err(format!("forwarding has {speed:.2} of the speed of printing, and not {LEAST}").into());
    }
    Ok(())
}

fn forward(lines: u64) {
    (0..lines).for_each(|line| tracing::info!(line, "what a job says"));
}

fn print((lines, pipe): (u64, Fd<OwnedFd>)) -> std::io::Result<()> {
    // As `println!` does: each line is written as it ends.
    let mut pipe = LineWriter::new(File::from(pipe.0));
    (0..lines).try_for_each(|line| writeln!(pipe, "INFO ratios: what a job says line={line}"))
}

fn print_to_pipe(context: &WorkerContext) -> Outcome {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let reader = std::thread::spawn(move || -> std::io::Result<usize> {
        let (mut pipe, mut chunk, mut lines) = (File::from(read), vec![0; 64 << 10], 0);
        loop {
            match pipe.read(&mut chunk)? {
                0 => return Ok(lines),
                count => lines += chunk[..count].iter().filter(|byte| **byte == b'\n').count(),
            }
        }
    });
    context.run_sync(|job| print(job).map_err(|e| e.to_string()), (LINES, Fd(write))).wait()??;
    let lines = reader.join().map_err(|_| Failure::from("the reader panicked"))??;
    if lines as u64 == LINES { Ok(()) } else { Err(format!("{lines} lines were printed").into()) }
}

static SEEN: AtomicU64 = AtomicU64::new(0);

/// Makes a line of each event, as a subscriber that prints does, and counts it.
#[derive(Default)]
struct Lines(Mutex<String>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LevelFilter::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        if let (Ok(mut line), metadata) = (self.0.lock(), event.metadata()) {
            line.clear();
            let _ = write!(line, "{} {}:", metadata.level(), metadata.target());
            event.record(&mut Line(&mut line));
            if !line.contains("offproc") {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

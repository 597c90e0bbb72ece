//! The outcome of each picture.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offproc::Error;
use serde::{Deserialize, Serialize};

use crate::worker::thumbnail::{Problem, Thumbnail};

#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Thumbnail),
    Failed(Failure, String),
}

/// The ways to fail, as the summary counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    Undecodable,
    TimedOut,
    Crashed,
    Panicked,
    /// Not the picture's fault: a file that cannot be read or written, a worker that cannot be started.
    Other,
}

impl Failure {
    const ALL: [(Self, &str); 5] = [
        (Self::Undecodable, "× failed to decode"),
        (Self::TimedOut, "◷ killed for time"),
        (Self::Crashed, "✱ crashed"),
        (Self::Panicked, "! panicked"),
        (Self::Other, "? not tried or not saved"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(failure, _)| *failure == self).map_or("", |(_, name)| name)
    }
}

impl Outcome {
    /// The outer error is the call's, if the job did not end; the inner one is the job's own.
    pub(crate) fn of(result: Result<Result<Thumbnail, Problem>, Error>) -> Self {
        let error = match result {
            Ok(Ok(thumbnail)) => return Self::Done(thumbnail),
            Ok(Err(Problem::Decode(reason))) => return Self::Failed(Failure::Undecodable, reason),
            Ok(Err(Problem::File(reason))) => return Self::Failed(Failure::Other, reason),
            Err(error) => error,
        };
        let failure = match error {
            Error::TimedOut => Failure::TimedOut,
            Error::BrokenWorker(_) => Failure::Crashed,
            Error::Panicked(_) => Failure::Panicked,
            _ => Failure::Other,
        };
        Self::Failed(failure, error.to_string())
    }
}

/// Counts, and one line for each picture that has no thumbnail.
pub(crate) fn summary(pictures: &[PathBuf], outcomes: &[Outcome], elapsed: Duration) -> String {
    let done = || {
        outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Done(thumbnail) => Some(thumbnail),
            Outcome::Failed(..) => None,
        })
    };
    let failed = || {
        pictures.iter().zip(outcomes).filter_map(|(picture, outcome)| match outcome {
            Outcome::Failed(failure, reason) => Some((picture, *failure, reason)),
            Outcome::Done(_) => None,
        })
    };
    let megapixels = done().map(|t| u64::from(t.width) * u64::from(t.height)).sum::<u64>() / 1_000_000;
    let kilobytes = done().map(|t| t.bytes).sum::<u64>() / 1_000;

    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes what is written");
    line(format!("{:26}{:>6}   {megapixels} megapixels into {kilobytes} kB, in {elapsed:.1?}", "done", done().count()));
    for (failure, name) in Failure::ALL {
        let count = failed().filter(|(_, f, _)| *f == failure).count();
        if count > 0 || failure != Failure::Other {
            line(format!("{name:26}{count:>6}"));
        }
    }
    if failed().next().is_some() {
        line(String::new());
    }
    for (picture, failure, reason) in failed() {
        line(format!("{:22} {}: {}", failure.name(), printable(picture), one_line(reason)));
    }
    text
}

/// File names and decoders' messages are untrusted input: this replaces characters that could move the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn printable(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

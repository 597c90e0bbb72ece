//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use offproc::current_default_worker_limiter;

const USAGE: &str = "\
Makes thumbnails of every picture below DIR, and a contact sheet of them, in OUT.
Without DIR and OUT, it does so with a sample set that it writes into a fresh folder.

Usage: thumbnails [OPTIONS] [DIR OUT]

Options:
  --size PIXELS          width and height that a thumbnail has at most [256]
  --time-limit SECONDS   what a picture may take, before its worker is killed [2]
  --memory MIB           address space that a worker may have [1024]
  --jobs N               workers at the same time [the number of CPUs]";

#[derive(Debug)]
pub(crate) struct Options {
    /// `DIR` and `OUT`.
    pub(crate) folders: Option<(PathBuf, PathBuf)>,
    pub(crate) size: u32,
    pub(crate) time_limit: Duration,
    /// In bytes.
    pub(crate) memory: u64,
    pub(crate) jobs: usize,
}

impl Options {
    /// `None` when all that was wanted was help, which has been printed.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self {
            folders: None,
            size: 256,
            time_limit: Duration::from_secs(2),
            memory: 1 << 30,
            jobs: current_default_worker_limiter().total_tokens(),
        };
        let mut folders = Vec::new();
        let mut parser = lexopt::Parser::from_iter(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("size") => options.size = parser.value()?.parse_with(|s| within(s, 16, 2_048))?,
                Long("time-limit") => options.time_limit = parser.value()?.parse_with(seconds)?,
                Long("memory") => options.memory = parser.value()?.parse_with(|s| within(s, 64, 1 << 20))? << 20,
                Long("jobs") => options.jobs = parser.value()?.parse_with(|s| within(s, 1, 1_024))?,
                Short('h') | Long("help") => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                Value(folder) => folders.push(PathBuf::from(folder)),
                _ => return Err(arg.unexpected()),
            }
        }
        options.folders = match <[PathBuf; 2]>::try_from(folders) {
            Ok([dir, out]) => Some((dir, out)),
            Err(none) if none.is_empty() => None,
            Err(_) => return Err("give both DIR and OUT, or neither; see --help".into()),
        };
        Ok(Some(options))
    }
}

fn within<T: std::str::FromStr + PartialOrd + std::fmt::Display>(text: &str, least: T, most: T) -> Result<T, String> {
    match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("must be a number from {least} to {most}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    within(text, 0.001, 86_400.0).map(Duration::from_secs_f64)
}

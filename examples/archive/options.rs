//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

const USAGE: &str = "\
Packs all files below DIR into OUT, a .tar.gz, and writes their SHA-256 hashes into OUT.sha256.
Without DIR and OUT, it does so with a sample that it writes into a fresh folder.

Usage: archive [OPTIONS] [DIR OUT]

Options:
  --jobs N    workers at the same time [the number of CPUs]";

#[derive(Debug)]
pub(crate) struct Options {
    /// `DIR` and `OUT`.
    pub(crate) paths: Option<(PathBuf, PathBuf)>,
    pub(crate) jobs: usize,
}

impl Options {
    /// `None` when all that was wanted was help, which has been printed.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self { paths: None, jobs: offproc::default_limiter().total_tokens() };
        let mut paths = Vec::new();
        let mut parser = lexopt::Parser::from_iter(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("jobs") => {
                    options.jobs = parser.value()?.parse_with(|text| match text.parse() {
                        Ok(number @ 1..=1024) => Ok(number),
                        _ => Err("must be a number from 1 to 1024"),
                    })?;
                }
                Short('h') | Long("help") => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                Value(path) => paths.push(PathBuf::from(path)),
                _ => return Err(arg.unexpected()),
            }
        }
        options.paths = match <[PathBuf; 2]>::try_from(paths) {
            Ok([folder, archive]) => Some((folder, archive)),
            Err(none) if none.is_empty() => None,
            Err(_) => return Err("give both DIR and OUT, or neither; see --help".into()),
        };
        Ok(Some(options))
    }
}

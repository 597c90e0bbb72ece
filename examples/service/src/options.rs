//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use lexopt::prelude::*;

const USAGE: &str = "\
Makes thumbnails of pictures that are sent to it:
  curl --fail-with-body --data-binary @PICTURE -o answer http://127.0.0.1:8080/thumbnail && mv answer thumbnail.jpg

Usage: service [OPTIONS]

Options:
  --listen ADDRESS      where to listen [127.0.0.1:8080]
  --deadline MS         what a picture may take in all: waiting, and being worked on [200]
  --workers N           pictures that are worked on at the same time [two more than there are CPUs]
  --queue N             pictures that may wait; one more is refused [eight for each CPU]
  --memory MIB          memory that a worker may have [256]
  --upload MIB          how large an upload may be [8]
  --upload-time SECONDS how long an upload may take to arrive [10]
  --drain SECONDS       time that requests under way have after SIGTERM or SIGINT [10]
  --hostile             offer jobs that crash, never end or want all memory, as /hostile/…: for tests alone";

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) deadline: Duration,
    pub(crate) workers: usize,
    pub(crate) queue: usize,
    /// In bytes.
    pub(crate) memory: u64,
    /// In bytes.
    pub(crate) upload: usize,
    pub(crate) upload_time: Duration,
    pub(crate) drain: Duration,
    pub(crate) hostile: bool,
}

impl Options {
    /// `None` when all that was wanted was help, which has been printed.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, lexopt::Error> {
        let cpus = available_parallelism().map_or(1, usize::from);
        let mut options = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            deadline: Duration::from_millis(200),
            // A job that never ends has its worker until its deadline. Two more workers than CPUs leave the CPUs to
            // others all that time.
            workers: cpus + 2,
            // As many as are made in half of the deadline. `docs/service.md` has the rule, and how many that are.
            queue: 8 * cpus,
            memory: 256 << 20,
            upload: 8 << 20,
            upload_time: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            hostile: false,
        };
        let mut parser = lexopt::Parser::from_iter(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("listen") => options.listen = parser.value()?.parse()?,
                Long("deadline") => options.deadline = Duration::from_millis(within(&mut parser, 1, 3_600_000)?),
                Long("workers") => options.workers = within(&mut parser, 1, 1_024)? as usize,
                Long("queue") => options.queue = within(&mut parser, 0, 1_000_000)? as usize,
                Long("memory") => options.memory = within(&mut parser, 16, 1 << 20)? << 20,
                Long("upload") => options.upload = (within(&mut parser, 1, 1_024)? as usize) << 20,
                Long("upload-time") => options.upload_time = Duration::from_secs(within(&mut parser, 1, 86_400)?),
                Long("drain") => options.drain = Duration::from_secs(within(&mut parser, 0, 86_400)?),
                Long("hostile") => options.hostile = true,
                Short('h') | Long("help") => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

fn within(parser: &mut lexopt::Parser, least: u64, most: u64) -> Result<u64, lexopt::Error> {
    parser.value()?.parse_with(|text| match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("must be a number from {least} to {most}")),
    })
}

//! What the workers of a context are told.

use crate::sys::image::Image;
use crate::wire::codec;
use crate::wire::frame::{self, Kind};
use crate::wire::function::Place;
use crate::wire::hello::{Hello, Resource, Retirement, Role, Service, Signals, Surroundings};
use crate::worker::entry;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// How jobs and answers travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Through memory that the program and each worker share; where the system has none to offer, as with `Stream`.
    #[default]
    SharedMemory,
    /// Through a socket.
    Stream,
}

/// The settings that reach a worker, and those for starting one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a worker stays without a job; `Duration::MAX`: for ever.
    pub idle_timeout: Duration,
    /// How long a worker may take to start, `init` included; `Duration::MAX`: for ever.
    pub start_timeout: Duration,
    /// The largest argument or result, in serialised bytes.
    pub frame_limit: usize,
    /// Run before the first job.
    pub init: Option<fn()>,
    /// Run last, before the first job.
    pub sandbox: Option<fn()>,
    /// Run after each job.
    pub retire: Option<fn() -> bool>,
    /// The number of jobs after which a worker retires, drawn by each from this range.
    pub retire_after_jobs: Option<RangeInclusive<u64>>,
    /// The age at which a worker retires.
    pub retire_after_age: Option<Duration>,
    /// The resident memory, in bytes, above which a worker retires.
    pub retire_above_memory: Option<u64>,
    /// Run once in a fork server, before it forks.
    pub preload: Option<fn()>,
    /// Which signals reach workers.
    pub signals: Signals,
    /// Changes to the environment.
    pub environment: Vec<(OsString, Option<OsString>)>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// The niceness.
    pub nice: Option<i32>,
    /// The CPUs to run on.
    pub cpus: Option<Vec<usize>>,
    /// How jobs and answers travel.
    pub transport: Transport,
    /// How long a worker looks for the next job before it sleeps, at most.
    pub spin: Duration,
    /// Resource limits.
    pub limits: Vec<(Resource, u64)>,
    /// Whether what a worker has started is killed with it.
    pub kill_tree: bool,
    /// Whether workers tell of the faults that end them.
    pub fault_details: bool,
    /// Whether the end of a worker's stderr is kept.
    pub keep_stderr: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(600),
            start_timeout: Duration::from_secs(60),
            frame_limit: 1 << 30,
            init: None,
            sandbox: None,
            retire: None,
            retire_after_jobs: None,
            retire_after_age: None,
            retire_above_memory: None,
            preload: None,
            signals: Signals::default(),
            environment: Vec::new(),
            directory: None,
            nice: None,
            cpus: None,
            transport: Transport::default(),
            spin: Duration::from_micros(50),
            limits: Vec::new(),
            kill_tree: false,
            fault_details: false,
            keep_stderr: false,
        }
    }
}

impl Settings {
    /// True where workers tell after each job whether they stay.
    #[must_use]
    pub fn may_retire(&self) -> bool {
        self.retirement().is_ok_and(|retirement| retirement.is_possible())
    }

    /// The transport to use. A limit on file sizes would hit shared memory, which is a file, when it has to grow.
    pub(crate) fn transport(&self) -> Transport {
        let is_limited = self.limits.iter().any(|(resource, _)| *resource == Resource::FileSize);
        if is_limited { Transport::Stream } else { self.transport }
    }

    fn retirement(&self) -> Result<Retirement, String> {
        Ok(Retirement {
            asked: place(self.retire.map(|retire| retire as usize))?,
            jobs: self.retire_after_jobs.as_ref().map(|jobs| (*jobs.start(), *jobs.end())),
            age: self.retire_after_age,
            memory: self.retire_above_memory,
        })
    }

    /// The hello of a worker, as a frame.
    pub(crate) fn hello(&self, shared_memory: bool) -> Result<Vec<u8>, String> {
        self.pack(Role::Worker(Service {
            idle_timeout: (self.idle_timeout != Duration::MAX).then_some(self.idle_timeout),
            init: place(self.init.map(|init| init as usize))?,
            sandbox: place(self.sandbox.map(|sandbox| sandbox as usize))?,
            retirement: self.retirement()?,
            has_stderr: self.keep_stderr,
            shared_memory: shared_memory.then_some(self.spin),
        }))
    }

    /// The hello of a fork server, as a frame.
    pub(crate) fn fork_server_hello(&self) -> Result<Vec<u8>, String> {
        let preload = place(self.preload.map(|preload| preload as usize))?;
        self.pack(Role::ForkServer { preload, kill_tree: self.kill_tree })
    }

    fn pack(&self, role: Role) -> Result<Vec<u8>, String> {
        let surroundings = match role {
            Role::Worker(_) => Surroundings {
                signals: self.signals,
                environment: self.environment.clone(),
                directory: self.directory.clone().map(PathBuf::into_os_string),
                nice: self.nice,
                cpus: self.cpus.clone(),
                limits: self.limits.clone(),
                kill_tree: self.kill_tree,
                fault_details: self.fault_details,
            },
            // Its workers change themselves; the server only keeps out of the way of signals.
            Role::ForkServer { .. } => Surroundings { signals: Signals::IgnoreTerminate, ..Surroundings::default() },
        };
        let hello = Hello {
            build: Image::current().build(),
            depth: entry::depth() + 1,
            frame_limit: self.frame_limit as u64,
            role,
            surroundings,
        };
        let mut frame = frame::begin();
        codec::encode_to(&hello, &mut frame)?;
        frame::finish(Kind::Hello, &mut frame);
        Ok(frame)
    }

    /// Tells what is wrong with the settings, in words.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn check(&self) -> Result<(), String> {
        const LEAST: usize = 1024;
        if self.frame_limit < LEAST {
            return Err(format!("a frame limit of {} bytes is too small; {LEAST} is the least", self.frame_limit));
        }
        if self.start_timeout.is_zero() {
            return Err("a start timeout of zero leaves no time to start".to_owned());
        }
        if self.retire_after_jobs.as_ref().is_some_and(|jobs| jobs.is_empty() || *jobs.start() == 0) {
            return Err("a worker cannot retire before its first job: the range must not be empty or start at 0".into());
        }
        if self.cpus.as_ref().is_some_and(Vec::is_empty) {
            return Err("a worker needs at least one CPU to run on".to_owned());
        }
        let bad_name = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.is_empty() || name.contains(&b'=') || name.contains(&0)
        };
        if let Some((name, _)) = self.environment.iter().find(|(name, _)| bad_name(name)) {
            return Err(format!("{} cannot be the name of an environment variable", name.display()));
        }
        if let Some((name, _)) = self
            .environment
            .iter()
            .find(|(_, value)| value.as_ref().is_some_and(|value| value.as_encoded_bytes().contains(&0)))
        {
            return Err(format!("the value for the environment variable {} contains a NUL byte", name.display()));
        }
        self.fork_server_hello()?;
        self.hello(false).map(drop)
    }
}

fn place(address: Option<usize>) -> Result<Option<Place>, String> {
    address.map(Place::of).transpose()
}

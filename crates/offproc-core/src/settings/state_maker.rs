//! How workers get their state.

use crate::error::EncodeError;
use crate::error::function::Task;
use crate::job::function::{Function, JobFunction};
use crate::job::state::StateType;
use crate::job::trampoline::write_job;
use crate::wire::frame::{self, HEADER, Kind};
use crate::wire::writer::Writer;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use std::sync::Arc;

/// A function that makes the state in a worker, and the value that it gets there: a job, which is written once.
#[derive(Clone)]
pub struct StateMaker {
    maker: Arc<Maker>,
    /// The body of the job; empty until it is written.
    job: Arc<[u8]>,
}

/// Writes the job.
type WriteJob = dyn Fn(&mut Writer<'_>) -> Result<(), EncodeError> + Send + Sync;

struct Maker {
    write: Box<WriteJob>,
    state: StateType,
    task: Task,
}

impl StateMaker {
    /// The state is `make(value)`.
    pub fn new<V, S>(value: V, make: fn(V) -> S) -> Self
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
        S: 'static,
    {
        let function = JobFunction::makes_state(make);
        let task = Task { function: function.address(), type_name: function.type_name(), caller: None };
        let write = move |out: &mut Writer<'_>| write_job(function.pair(), &value, None, None, None, out);
        Self { maker: Arc::new(Maker { write: Box::new(write), state: StateType::of::<S>(), task }), job: Arc::new([]) }
    }

    /// The type of the state.
    #[must_use]
    pub fn state(&self) -> &StateType {
        &self.maker.state
    }

    /// The function, for errors.
    pub(crate) fn task(&self) -> Task {
        self.maker.task
    }

    /// Serialises the value, once for all workers.
    ///
    /// # Errors
    ///
    /// It cannot be serialised, or takes more than `limit` bytes.
    pub fn encode(&mut self, limit: usize) -> Result<(), EncodeError> {
        let mut job = Vec::new();
        let mut writer = Writer::new(&mut job, 0, limit).map_err(|e| EncodeError(e.to_string()))?;
        (self.maker.write)(&mut writer)?;
        drop(writer);
        self.job = job.into();
        Ok(())
    }

    /// The body of the job.
    pub(crate) fn job(&self) -> &[u8] {
        &self.job
    }

    /// Appends the job, as a frame.
    pub(crate) fn append_to(&self, frames: &mut Vec<u8>) {
        let start = frames.len();
        frames.reserve(HEADER + self.job.len());
        frames.resize(start + HEADER, 0);
        frames.extend_from_slice(&self.job);
        frame::finish(Kind::Job, &mut frames[start..]);
    }
}

impl fmt::Debug for StateMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateMaker").field("state", &self.maker.state).finish_non_exhaustive()
    }
}

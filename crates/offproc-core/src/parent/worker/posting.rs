//! A worker gets a job.

use super::Worker;
use crate::error::function::Task;
use crate::error::{EncodeError, Error, Phase};
use crate::job::chunk::ChunkBounds;
use crate::job::encoded::EncodedArgument;
use crate::job::function::Function;
use crate::job::limits::SoftLimits;
use crate::job::message::Answer;
use crate::job::trampoline::chunk::{ChunkCode, write_chunk};
use crate::job::trampoline::write_job;
use crate::parent::logs::delivery::Posting;
use crate::wire::writer::Writer;
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use std::panic::Location;

impl Worker {
    /// Hands over a call of `function`, made at `caller`. One at a time: poll for its outcome before the next. An
    /// argument that is in `encoded` already is not serialised again.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`]: the argument cannot be serialised or is too large, or the function is not part of this
    /// executable. Nothing was handed over.
    pub fn post<A, R>(
        &mut self,
        function: &impl Function<A, R>,
        argument: &A,
        caller: &'static Location<'static>,
        soft: Option<&SoftLimits>,
        mut encoded: Option<&mut EncodedArgument>,
    ) -> Result<(), Error>
    where
        A: Serialize,
    {
        let pair = function.pair();
        let task = Task { function: pair.function(), type_name: function.type_name(), caller: Some(caller) };
        self.hand_over(Phase::Job, task, false, |log_level, out| {
            write_job(pair, argument, soft, log_level, encoded.as_deref_mut(), out)
        })
    }

    /// Hands over a job that runs `code` for as many of the items as there is room for, and no other once there
    /// are `enough` bytes. Returns how many. Its outcome is an answer to [`into_chunk`](Answer::into_chunk); of a
    /// broken worker, [`published`](Self::published) has the results of the items that had run.
    ///
    /// # Errors
    ///
    /// As for [`post`](Self::post), with the first item as the argument.
    pub fn post_chunk<'a, A>(
        &mut self,
        code: &ChunkCode<A>,
        (function, type_name): (usize, &'static str),
        items: impl Iterator<Item = &'a A> + Clone,
        bounds: (ChunkBounds, usize),
        caller: &'static Location<'static>,
        soft: Option<&SoftLimits>,
    ) -> Result<usize, Error>
    where
        A: Serialize + DeserializeOwned + 'a,
    {
        let task = Task { function, type_name, caller: Some(caller) };
        let mut count = 0;
        self.hand_over(Phase::Job, task, true, |log_level, out| {
            count = write_chunk(code, items.clone(), bounds, soft, log_level, out)?;
            Ok(())
        })?;
        Ok(count)
    }

    /// The results of the items that had run when the worker died during a chunk. Call it once the outcome is there.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn published(&mut self) -> io::Result<Answer> {
        self.channel.published()
    }

    #[inline(always)]
    pub(super) fn hand_over(
        &mut self,
        phase: Phase,
        task: Task,
        is_chunk: bool,
        mut write: impl FnMut(Option<u8>, &mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), Error> {
        let posting = self.logs.as_mut().map(|logs| logs.begin());
        let log_level = posting.as_ref().map(Posting::level);
        let mut write = |out: &mut Writer<'_>| write(log_level, out);
        let job = self.channel.encode(self.max_message_size, &mut write).map_err(Error::Encode)?;
        // Before the job is sent: a worker that dies of it at once has not died idle.
        self.process.0.set_phase(phase);
        self.task = Some(task);
        if is_chunk {
            self.channel.begin_chunk();
        }
        match self.channel.submit(job) {
            Ok(since) => {
                posting.into_iter().for_each(Posting::done);
                self.since = since;
                Ok(())
            }
            Err(e) => {
                self.process.0.set_phase(Phase::Idle);
                Err(not_sent(&e))
            }
        }
    }
}

pub(super) fn not_sent(e: &io::Error) -> Error {
    Error::Encode(EncodeError(format!("the argument, or a descriptor in it, could not be sent to the worker: {e}")))
}

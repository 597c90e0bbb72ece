use crate::error::{BrokenWorkerError, Error};
use crate::job::message::Answer;

/// The outcome of a posted job.
#[derive(Debug)]
pub enum Outcome {
    /// The worker answered.
    Answered(Answer),
    /// The worker had left, or had ended, before it took the job: the job did not run, and may run elsewhere. If the
    /// worker ended uncleanly and that was not reported, this has the error.
    NotTaken(Option<BrokenWorkerError>),
    /// The system has refused to send the rest of the job: it did not run, and the worker takes no other.
    NotSent(Error),
    /// The worker died, and the job may have begun.
    Broken(BrokenWorkerError),
}

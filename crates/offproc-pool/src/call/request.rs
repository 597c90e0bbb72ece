//! The request of a call, and its state.

use super::queue::InQueue;
use super::retries::Retries;
use super::target::Target;
use crate::context::Lease;
use crate::limiter::Limiter;
use crate::limits::Limits;
use crate::timing::Clocks;
use offproc_core::{BoxFuture, BrokenWorkerError, Error};

/// What to run, where and how.
pub(super) struct Request<A, R> {
    pub(super) target: Target<A, R>,
    pub(super) argument: A,
    pub(super) options: Options,
}

/// The state of a call.
pub(super) enum State<A, R> {
    New(Request<A, R>),
    /// Waiting for a token.
    Queued(Request<A, R>, Box<InQueue>),
    /// Waiting for a worker.
    CheckingOut(Request<A, R>, BoxFuture<Result<Lease, Error>>),
    /// The worker has the job. The call keeps the argument for another worker, in case this one has left.
    Running(Request<A, R>, Lease),
    Over,
}

impl<A, R> Request<A, R> {
    pub(super) fn new(target: Target<A, R>, argument: A) -> Self {
        Self { target, argument, options: Options::default() }
    }
}

impl<A, R> State<A, R> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::Queued(..) => "queued",
            Self::CheckingOut(..) => "checking out",
            Self::Running(..) => "running",
            Self::Over => "over",
        }
    }

    /// `None` once it is over.
    pub(super) fn request(&self) -> Option<&Request<A, R>> {
        match self {
            Self::New(request) => Some(request),
            Self::Queued(request, _) => Some(request),
            Self::CheckingOut(request, _) => Some(request),
            Self::Running(request, _) => Some(request),
            Self::Over => None,
        }
    }

    /// Its job has not begun.
    pub(super) fn is_before_its_job(&self) -> bool {
        matches!(self, Self::New(..) | Self::Queued(..) | Self::CheckingOut(..))
    }

    /// In a fork of the program, a thread that is not there may have locked what the call waits for.
    pub(super) fn may_be_locked(&self) -> bool {
        matches!(self, Self::Queued(..) | Self::CheckingOut(..))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) kill_on_cancel: Option<bool>,
    pub(super) limiter: Option<Limiter>,
    // Boxed, so that calls without one stay small.
    pub(super) limits: Option<Box<Limits>>,
    pub(super) retries: Option<Box<Retries>>,
    pub(super) clocks: Option<Clocks>,
    // Not options, but here they fit without making the call larger: whether it was polled, and how often a worker has
    // not taken the job.
    pub(super) is_polled: bool,
    pub(super) refusals: u32,
}

impl Options {
    /// True if the job runs again after this death of its worker.
    #[cold]
    pub(super) fn use_retry(&mut self, crash: &BrokenWorkerError) -> bool {
        let Some(retries) = self.retries.as_mut().filter(|retries| retries.left > 0) else { return false };
        // offproc has killed this worker: with its context, or for a protocol violation, as it would the next one.
        if crash.killed() > 0 {
            return false;
        }
        retries.left -= 1;
        retries.crash = Some(crash.clone());
        true
    }

    /// The error of a call whose job could not run again: the crash, if `error` only says why there is no further run.
    #[cold]
    pub(super) fn or_crash(&mut self, error: Error) -> Error {
        let crash = self.retries.as_mut().and_then(|retries| retries.crash.take());
        match (error, crash) {
            // The context has been closed meanwhile, or the argument can be sent only once.
            (Error::Closed | Error::Encode(_), Some(crash)) => crash.into(),
            (error, _) => error,
        }
    }
}

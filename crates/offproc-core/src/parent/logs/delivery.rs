//! Delivers the log records of a job before its answer.

use super::pipe::LogPipe;
use crate::parent::background::is_background_thread_itself;
use crate::parent::timer::{Sleep, sleep};
use crate::settings::log_forwarding::LogSink;
use crate::sys::fork::is_forked;
use crate::wire::log::next_job;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an answer waits for the records before it, while another thread delivers them and does not finish. The
/// answers after it do not wait for the same round again.
const PATIENCE: Duration = Duration::from_secs(1);

/// A worker's log, for the owner of the worker; with the outcome of the job, which waits for it.
#[derive(Debug)]
pub(crate) struct Delivery<T> {
    pipe: Arc<LogPipe>,
    /// The number of the current job.
    job: u32,
    /// For the job that is posted next.
    sink: Option<Arc<dyn LogSink>>,
    outcome: Option<T>,
    wait: Option<Wait>,
    /// How many rounds were over when an answer gave up its wait.
    stuck_at: Option<u64>,
}

#[derive(Debug)]
struct Wait {
    rounds: u64,
    patience: Sleep,
    /// How many rounds were over when the thread for logs was asked for another.
    asked_at: Option<u64>,
}

impl<T> Delivery<T> {
    pub(crate) fn new(pipe: Arc<LogPipe>) -> Self {
        Self { pipe, job: 0, sink: None, outcome: None, wait: None, stuck_at: None }
    }

    /// The sink of the next job's records.
    pub(crate) fn set_sink(&mut self, sink: Option<Arc<dyn LogSink>>) {
        self.sink = sink;
    }

    /// Call this before a job is handed over, as it may log at once.
    pub(crate) fn begin(&mut self) -> Posting<'_> {
        let sink = self.sink.take().map(|sink| (next_job(self.job), sink));
        self.pipe.set_sink(sink);
        Posting { pipe: &self.pipe, job: &mut self.job, is_done: false }
    }

    /// The outcome of the job, held back until its records are delivered.
    pub(crate) fn poll_with(&mut self, cx: &mut Context<'_>, outcome: T) -> Poll<T> {
        if self.poll(cx).is_pending() {
            self.outcome = Some(outcome);
            return Poll::Pending;
        }
        Poll::Ready(outcome)
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.outcome.is_some()
    }

    pub(crate) fn take_held(&mut self) -> Option<T> {
        self.outcome.take()
    }

    /// Ends the wait of an outcome that is held back. True if there is one: it is there at the next poll, and what
    /// could not be delivered by then comes later.
    pub(crate) fn hurry(&mut self) -> bool {
        self.wait.iter_mut().for_each(|wait| wait.patience = sleep(Duration::ZERO));
        self.is_holding()
    }

    /// Ready once all that the worker has logged so far is delivered, or when that takes too long: then it is delivered
    /// later, still to the sink of its job.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if is_forked() {
            return Poll::Ready(()); // in a fork, which does not own the pipe
        }
        let wait = match &mut self.wait {
            Some(wait) => wait,
            // Waits for what was in the pipe before the wait began.
            None => {
                let rounds = self.pipe.rounds_needed();
                if !is_background_thread_itself() && self.pipe.round().is_some() {
                    self.pipe.set_sink(None);
                    return Poll::Ready(());
                }
                if self.stuck_at == Some(self.pipe.rounds()) {
                    self.pipe.release_sink_after(rounds);
                    return Poll::Ready(());
                }
                self.wait.insert(Wait { rounds, patience: sleep(PATIENCE), asked_at: None })
            }
        };
        if wait.poll_rounds(&self.pipe, cx).is_ready() {
            self.pipe.set_sink(None);
        } else if Pin::new(&mut wait.patience).poll(cx).is_pending() {
            return Poll::Pending;
        } else {
            self.pipe.release_sink_after(wait.rounds);
            self.stuck_at = Some(self.pipe.rounds());
        }
        self.wait = None;
        Poll::Ready(())
    }

    /// Delivers what was logged so far, unless another thread does.
    pub(crate) fn deliver_now(&self) {
        if is_forked() {
            return;
        }
        if is_background_thread_itself() {
            self.pipe.ask_for_round();
        } else {
            let _ = self.pipe.round();
        }
    }
}

impl Wait {
    fn poll_rounds(&mut self, pipe: &Arc<LogPipe>, cx: &mut Context<'_>) -> Poll<()> {
        if pipe.has_had(self.rounds) {
            return Poll::Ready(());
        }
        if !is_background_thread_itself() {
            return pipe.poll_round_of_caller(cx);
        }
        // Register before the look: the end of a later round wakes.
        pipe.wake_after_round(cx);
        let rounds = pipe.rounds();
        if rounds >= self.rounds {
            return Poll::Ready(());
        }
        if self.asked_at.replace(rounds) != Some(rounds) {
            pipe.ask_for_round();
        }
        Poll::Pending
    }
}

/// A job on its way to the worker. Dropped before it is handed over, it does not count, and its sink is dropped, too.
#[derive(Debug)]
pub(crate) struct Posting<'a> {
    pipe: &'a LogPipe,
    job: &'a mut u32,
    is_done: bool,
}

impl Posting<'_> {
    /// The level up to which the job logs.
    pub(crate) fn level(&self) -> u8 {
        self.pipe.forwarding().forwarder().level()
    }

    /// It was handed over.
    pub(crate) fn done(mut self) {
        *self.job = next_job(*self.job);
        self.is_done = true;
    }
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.pipe.set_sink(None);
        }
    }
}

#[cfg(test)]
mod tests;

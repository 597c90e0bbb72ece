//! The job loop: the worker runs jobs.
#![allow(unsafe_code)]

use super::channel::stream::WorkerStream;
use super::channel::worker_channel::{Next, Sent, WorkerChannel};
use super::items;
use super::log_writer::{self, Jobs};
use super::retirement::RetirePolicy;
use super::stage::{ReadyWorker, Stage};
use super::stop::{self, Limited};
use super::{abort_panic, panic};
use crate::error::{DecodeError, EncodeError, PanicError};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::body::JobOptions;
use crate::job::chunk::write_failure;
use crate::job::codec;
use crate::job::exchange::Exchange;
use crate::job::message::{AfterPanic, Failure};
use crate::job::state::{Use, WorkerState};
use crate::job::trampoline;
use crate::sys::{stderr, stdio};
use crate::wire::frame::Kind;
use std::io;
use std::time::Duration;

/// How long a new worker waits for its first job, at least.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// Runs jobs one after the other, until the parent requests the shutdown, or the worker leaves.
pub(super) fn job_loop(mut ready: ReadyWorker) -> io::Result<Stage> {
    let stage = serve(&mut ready);
    // It has answered its last job, and the program waits for its end.
    panic::drop_apart(ready.state.take());
    if let Ok(Stage::Over(0)) = stage {
        ready.channel.linger();
    }
    stage
}

fn serve(ready: &mut ReadyWorker) -> io::Result<Stage> {
    let ReadyWorker { settings, channel, limit, state } = ready;
    let (channel, limit) = (&mut **channel, *limit);
    stop::forget();
    panic::look_at_environment();
    let mut retirement = RetirePolicy::new(&settings.retirement);
    let mut jobs = Jobs::new();
    let mut incoming = Incoming::default();
    // A new worker was started for a job, which is on its way.
    let idle_timeout = Some(settings.lifetime.idle_timeout).filter(|timeout| *timeout < Duration::MAX);
    let mut patience = idle_timeout.map(|timeout| timeout.max(FIRST_PATIENCE));
    loop {
        match channel.next(std::mem::replace(&mut patience, idle_timeout), &mut incoming)? {
            // SAFETY: the channel has just returned it.
            Next::Job(body) => unsafe { answer(body, channel, &mut incoming, &mut jobs, limit, state) }?,
            Next::NoMemory(reason) => {
                jobs.begin();
                jobs.end();
                state.begin_job();
                answer_failure(Failure::Decode(DecodeError(reason)), channel, limit)?;
            }
            Next::Closed | Next::Idle => return Ok(Stage::Over(0)),
        }
        // To make the state anew is no job of the program's.
        if settings.retirement.is_possible() && state.use_of_job() != Use::Made {
            let leaves = match retirement.is_due() {
                Ok(leaves) => leaves,
                Err(reason) => {
                    stderr::say(format_args!(
                        "worker {} ends because its retire function failed: {reason}",
                        std::process::id()
                    ));
                    return Ok(Stage::Over(1));
                }
            };
            stdio::flush();
            channel.send_decision(!leaves)?;
            if leaves {
                return Ok(Stage::Over(0));
            }
        }
    }
}

/// Runs a job and sends its answer. What the job has printed is flushed before that, so a kill after it loses nothing.
///
/// # Safety
///
/// `channel` has returned `body` just now.
unsafe fn answer(
    body: *const [u8],
    channel: &mut (dyn WorkerChannel + 'static),
    incoming: &mut Incoming,
    jobs: &mut Jobs,
    limit: usize,
    state: &mut WorkerState,
) -> io::Result<()> {
    let (mut outgoing, mut last_entry) = (Outgoing::default(), None);
    jobs.begin();
    state.begin_job();
    let outcome = abort_panic::guard(channel, |channel| {
        let result = channel.as_result_room();
        let hooks = &items::HOOKS;
        let none = Outgoing::default();
        let mut exchange = Exchange { result, incoming, outgoing: none, limit, state, hooks, last_entry: None };
        // SAFETY: a job that the channel returns comes from the parent, which the kernel and the handshake have
        // checked. It stays as it is until its answer is begun, and that is done in `call`.
        let outcome = panic::catch(|| unsafe { trampoline::call(body, &mut exchange, apply) });
        (outgoing, last_entry) = (exchange.outgoing, exchange.last_entry);
        outcome
    });
    let outcome = answerable(outcome, state)?;
    jobs.end();
    stdio::flush();
    let failure = match outcome {
        Ok((written, has_lost_state)) => {
            let kind = match last_entry {
                Some(_) if has_lost_state => Kind::LastWithState,
                Some(_) => Kind::Items,
                None => Kind::Done,
            };
            match (channel.answer(kind, written, &outgoing)?, last_entry) {
                (Sent::Whole, _) => None,
                (Sent::Refused(e), None) => Some(not_sent(&e)),
                // The attachments are those of the last item.
                (Sent::Refused(e), Some(entry)) => {
                    let mut writer = channel.resume(entry, usize::MAX)?;
                    let written = write_failure(not_sent(&e), limit, &mut writer).map_err(io::Error::other)?;
                    drop(writer);
                    channel.answer(kind, written, &Outgoing::default())?.must_be_whole()?;
                    None
                }
            }
        }
        Err(failure) => Some(failure),
    };
    incoming.end_job();
    failure.map_or(Ok(()), |failure| answer_failure(failure, channel, limit))
}

/// What has come of a job: the length of its answer, and whether the last item of its chunk has cost the state. A state
/// that a panic has taken from the job is dropped, as it may be half changed.
///
/// # Errors
///
/// There is no memory to say so: the worker must end.
fn answerable(
    outcome: Result<Result<usize, Failure>, PanicError>,
    state: &mut WorkerState,
) -> io::Result<Result<(usize, bool), Failure>> {
    let has_lost_state = state.use_of_job() == Use::Lent;
    if has_lost_state {
        panic::drop_apart(state.take());
    }
    Ok(match outcome {
        Ok(Ok(written)) => Ok((written, has_lost_state)),
        Ok(Err(_)) if has_lost_state => return Err(io::ErrorKind::OutOfMemory.into()),
        Ok(Err(failure)) => Err(failure),
        Err(error) => {
            let then = if has_lost_state { AfterPanic::LosesState } else { AfterPanic::Nothing };
            Err(Failure::Panicked { error, then })
        }
    })
}

/// Makes the worker's state before its first job: the program sends that as a job after the hello.
pub(super) fn make_state(channel: &mut WorkerStream, limit: usize) -> io::Result<Result<WorkerState, Failure>> {
    let (mut incoming, mut state) = (Incoming::default(), WorkerState::default());
    let body = match channel.next(None, &mut incoming)? {
        Next::Job(body) => body,
        Next::NoMemory(reason) => return Ok(Err(Failure::Decode(DecodeError(reason)))),
        Next::Closed | Next::Idle => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let made = abort_panic::guard(channel, |channel| {
        let result = channel.as_result_room();
        let (incoming, state, outgoing) = (&mut incoming, &mut state, Outgoing::default());
        let hooks = &items::HOOKS;
        let mut exchange = Exchange { result, incoming, outgoing, limit, state, hooks, last_entry: None };
        // SAFETY: as in `answer`. The answer that is begun in `call` is not sent.
        panic::catch(|| unsafe { trampoline::call(body, &mut exchange, apply) })
    });
    Ok(match made {
        Ok(Ok(_)) => Ok(state),
        Ok(Err(failure)) => Err(failure),
        Err(error) => Err(Failure::Panicked { error, then: AfterPanic::EndsWorker }),
    })
}

/// Applies the options of one job; its soft limits hold until the value is dropped.
fn apply(options: &JobOptions) -> Option<Limited> {
    options.log_level.into_iter().for_each(log_writer::set_level);
    options.soft.as_ref().map(stop::limit)
}

fn not_sent(e: &io::Error) -> Failure {
    Failure::Encode(EncodeError(format!("the result, or a descriptor in it, could not be sent: {e}")))
}

fn answer_failure(failure: Failure, channel: &mut dyn WorkerChannel, limit: usize) -> io::Result<()> {
    let written = encode_failure(failure, channel, limit)?;
    channel.answer(Kind::Failed, written, &Outgoing::default())?.must_be_whole()
}

/// A failure can always be sent: a text that is too long for a frame, or for the memory, is cut.
fn encode_failure(mut failure: Failure, channel: &mut dyn WorkerChannel, limit: usize) -> io::Result<usize> {
    let mut writer = channel.begin(limit)?;
    if codec::encode(&failure, &mut writer).is_err() {
        writer.truncate(0);
        drop(writer);
        failure.shorten(limit / 8);
        writer = channel.begin(usize::MAX)?;
        codec::encode(&failure, &mut writer).map_err(io::Error::other)?;
    }
    Ok(writer.written())
}

//! A parent, with a hostile worker on its connection: in the handshake, and in place of answers.

use super::script::{Script, Shape, open_answer, selector};
use crate::job::chunk::{ChunkBounds, ChunkOutcome};
use crate::job::message::Answer;
use crate::job::shared_bytes::SharedBytes;
use crate::job::trampoline::chunk::{ChunkCode, ItemFunction};
use crate::parent::handshake::handshake;
use crate::parent::hello;
use crate::parent::launch::launcher::{KillGuard, Launched};
use crate::parent::process::supervised::Process;
use crate::parent::worker::{Outcome, Worker};
use crate::settings::Settings;
use crate::settings::transport::Transport;
use crate::sys::child::Child;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::{lifeline, pairs};
use rustix::net::Shutdown;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The script is the worker's side.
#[doc(hidden)]
pub fn parent_stream(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(options) = script.byte() else { return };
    let mut settings = Settings::default();
    settings.transport.transport = Transport::Stream;
    settings.transport.max_message_size = 4096;
    if options & 1 != 0 {
        settings.retirement.retire_after_jobs = Some(1..=2);
    }
    let (runtime, cx) = (selector(), &mut Context::from_waker(Waker::noop()));
    let Ok((control, theirs)) = pairs::pair() else { return };
    let Ok((lifeline, _)) = lifeline::pair() else { return };
    let process = Process::announced();
    if options & 2 != 0 {
        // As with a worker that was spawned. Not a process, so that nothing can be killed.
        let not_a_process = pairs::pair().and_then(|(_, other)| TrackedFd::into_owned(other));
        let Ok(not_a_process) = not_a_process else { return };
        process.arrived(
            Child::of_another(7, Some(not_a_process), Box::new(lifeline.downgrade())).expect("it has a pidfd"),
        );
    }
    let guard = KillGuard(Arc::clone(&process));
    let launched = Launched {
        process: guard,
        control,
        lifeline,
        gifts: Vec::new(),
        rights: None,
        heritage: None,
        link: None,
        diagnostics: None,
        permit: None,
        is_spare: false,
    };
    let hello = hello::of_worker(&settings, false, None).expect("valid settings");
    let mut handshake_under_way = Some(Box::pin(handshake(launched, hello, &settings, &runtime)));
    let mut worker = None;
    let mut has_job = false;
    let chunk = ChunkCode::map(&ItemFunction::plain(answer));
    while let Some(step) = script.byte() {
        match step % 8 {
            0..=2 => script.say(&theirs),
            3 => {
                let Some(started) = &mut handshake_under_way else { continue };
                if let Poll::Ready(greeted) = started.as_mut().poll(cx) {
                    handshake_under_way = None;
                    let Ok(greeted) = greeted else { return };
                    worker = Some(greeted.into_fork_server(&settings));
                }
            }
            4 => {
                let Some(worker) = worker.as_mut().filter(|_| !has_job) else { continue };
                let argument = (script.bytes().to_vec(), Shape::Nothing);
                if options & 4 != 0 {
                    let Ok(chunk) = &chunk else { return };
                    let items = [argument, (Vec::new(), Shape::Nothing)];
                    let bounds = (ChunkBounds { time: None, bytes: usize::MAX }, usize::MAX);
                    let name = (answer as *const () as usize, "answer");
                    has_job = worker.post_chunk(chunk, name, items.iter(), bounds, Location::caller(), None).is_ok();
                    continue;
                }
                has_job = worker
                    .post(
                        &(answer as fn((Vec<u8>, Shape)) -> Option<SharedBytes>),
                        &argument,
                        Location::caller(),
                        None,
                        None,
                    )
                    .is_ok();
            }
            5 => {
                let Some(worker) = worker.as_mut().filter(|_| has_job) else { continue };
                match worker.poll_outcome(cx, &runtime) {
                    Poll::Ready(Outcome::Answered(answer)) if options & 4 != 0 => open_chunk(answer),
                    Poll::Ready(Outcome::Answered(answer)) => open_answer(answer, script.byte().unwrap_or(0)),
                    Poll::Ready(_) if options & 4 != 0 => return drop(worker.published().map(open_chunk)),
                    Poll::Ready(_) => return,
                    Poll::Pending => continue,
                }
                has_job = false;
            }
            6 => {
                let Some(worker) = worker.as_mut().filter(|_| !has_job) else { continue };
                let _ = worker.poll_retire_decision(cx, &runtime);
            }
            _ => match script.byte() {
                Some(0) => process.record_end(None),
                Some(1) => worker.iter_mut().filter(|_| has_job).for_each(Worker::withdraw_items),
                _ => drop(rustix::net::shutdown(&theirs, Shutdown::Write)),
            },
        }
    }
}

fn open_chunk(answer: Answer) {
    let ChunkOutcome::Ran(mut chunk) = answer.into_chunk(2) else { return };
    assert!(chunk.ran() <= 2 && chunk.folded() <= chunk.ran());
    while let Some(result) = chunk.next_result::<Option<SharedBytes>>() {
        drop(result.map_err(|error| error.to_string()));
    }
    let _ = chunk.value::<Shape>();
}

fn answer(_: (Vec<u8>, Shape)) -> Option<SharedBytes> {
    SharedBytes::copy_from_slice(b"").ok()
}

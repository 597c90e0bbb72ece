//! A parent, and what a worker may say to it on its connection: in the handshake, and in place of answers.

use super::script::{Script, Shape, host, open_answer};
use crate::parent::launcher::{Guard, Launched};
use crate::parent::process::Process;
use crate::parent::settings::{Settings, Transport};
use crate::parent::start::greet;
use crate::parent::worker::Outcome;
use crate::shared_bytes::SharedBytes;
use crate::sys::descriptors::{self, Descriptor};
use crate::sys::process::Child;
use rustix::net::Shutdown;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The script is the worker's side.
#[doc(hidden)]
pub fn parent_stream(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(options) = script.byte() else { return };
    let mut settings = Settings { transport: Transport::Stream, frame_limit: 4096, ..Settings::default() };
    if options & 1 != 0 {
        settings.retire_after_jobs = Some(1..=2);
    }
    let (host, cx) = (host(), &mut Context::from_waker(Waker::noop()));
    let Ok((control, theirs)) = descriptors::pair() else { return };
    let Ok((lifeline, _)) = descriptors::pair() else { return };
    let process = Process::announced();
    if options & 2 != 0 {
        // As with a worker that was spawned. Not a process, so that nothing can be killed.
        let not_a_process = descriptors::pair().and_then(|(_, other)| Descriptor::into_owned(other));
        let Ok(not_a_process) = not_a_process else { return };
        process.arrived(Child::of_another(7, not_a_process));
    }
    let guard = Guard(Arc::clone(&process));
    let launched = Launched { process: guard, control, lifeline, descriptors: Vec::new(), turn: None, is_spare: false };
    let hello = settings.hello(false).expect("valid settings");
    let mut greeting = Some(Box::pin(greet(launched, hello, &settings, &host)));
    let mut worker = None;
    let mut has_job = false;
    while let Some(step) = script.byte() {
        match step % 8 {
            0..=2 => script.say(&theirs),
            3 => {
                if let Some(started) = &mut greeting
                    && let Poll::Ready(greeted) = started.as_mut().poll(cx)
                {
                    greeting = None;
                    let Ok(greeted) = greeted else { return };
                    worker = Some(greeted.into_helper(&settings));
                }
            }
            4 => {
                let Some(worker) = worker.as_mut().filter(|_| !has_job) else { continue };
                let argument = (script.bytes().to_vec(), Shape::Nothing);
                has_job = worker
                    .post(
                        |_: (Vec<u8>, Shape)| SharedBytes::copy_from_slice(b"").ok(),
                        &argument,
                        Location::caller(),
                        None,
                    )
                    .is_ok();
            }
            5 => {
                let Some(worker) = worker.as_mut().filter(|_| has_job) else { continue };
                match worker.poll_outcome(cx, &host) {
                    Poll::Ready(Outcome::Answered(answer)) => open_answer(answer, script.byte().unwrap_or(0)),
                    Poll::Ready(_) => return,
                    Poll::Pending => continue,
                }
                has_job = false;
            }
            6 => {
                let Some(worker) = worker.as_mut().filter(|_| !has_job) else { continue };
                let _ = worker.poll_verdict(cx, &host);
            }
            _ => match script.byte() {
                Some(0) => process.record_end(None),
                _ => drop(rustix::net::shutdown(&theirs, Shutdown::Write)),
            },
        }
    }
}

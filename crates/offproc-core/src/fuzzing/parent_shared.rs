//! A parent, with a hostile worker on the memory that they share.

use super::script::{Script, open_answer, selector};
use crate::job::shared_bytes::SharedBytes;
use crate::parent::channel::shm::ParentShm;
use crate::parent::channel::stream::ParentStream;
use crate::parent::launch::launcher::KillGuard;
use crate::parent::process::supervised::Process;
use crate::parent::worker::{Outcome, Worker};
use crate::settings::Settings;
use crate::sys::shared_memory::{SharedMemory, doorbell};
use crate::sys::{lifeline, pairs};
use crate::wire::shm::slot;
use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use rustix::io::pwrite;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

const LIMIT: usize = 1 << 17;
/// Where the data begins, and the worker's words.
const DATA: u64 = 4096;
const REPLY: u64 = 64;
const DECISION: u64 = 72;
const KIND: u64 = 76;

/// The script is the worker's side.
#[doc(hidden)]
pub fn parent_shared(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(options) = script.byte() else { return };
    let (runtime, cx) = (selector(), &mut Context::from_waker(Waker::noop()));
    let (Ok((control, theirs)), Ok((lifeline, _)), Ok((ours, their_doorbell)), Ok((memory, words))) =
        (pairs::pair(), lifeline::pair(), doorbell(), SharedMemory::create(LIMIT))
    else {
        return;
    };
    let process = Process::announced();
    let channel = ParentShm::new(memory, ours, ParentStream::new(control, Vec::new(), Vec::new(), LIMIT), LIMIT, false);
    let mut settings = Settings::default();
    settings.transport.max_message_size = LIMIT;
    settings.retirement.retire_after_jobs = (options & 1 != 0).then_some(1..=2);
    let mut worker = Worker::new(KillGuard(Arc::clone(&process)), Box::new(channel), lifeline, None, &settings);
    let shared = SharedBytes::copy_from_slice(b"lent with a job");
    let (mut seq, mut has_job) = (0_u32, false);
    while let Some(step) = script.byte() {
        match step % 12 {
            0 => script.say(&theirs),
            1 => {
                let at = script.number() % (DATA + LIMIT as u64);
                let _ = pwrite(&words, script.bytes(), at);
            }
            2 => drop(pwrite(&words, script.bytes(), DATA)),
            3 => {
                // An answer in the right form, with any numbers.
                let mut up = [0; 16];
                up[0] = script.byte().unwrap_or(0);
                up[4..12].copy_from_slice(&script.number().to_le_bytes());
                up[12] = script.byte().unwrap_or(0);
                let _ = pwrite(&words, &up, KIND);
                let _ = pwrite(&words, &seq.to_ne_bytes(), REPLY);
            }
            4 => {
                let leaves = u32::from(script.byte().unwrap_or(0) & 1) << 31;
                let _ = pwrite(&words, &(seq | leaves).to_ne_bytes(), DECISION);
            }
            5 => drop(ftruncate(&words, script.number() % (1 << 26))),
            6 => {
                let (at, length) = (script.number() % (1 << 18), script.number() % (1 << 18) + 1);
                let _ = fallocate(&words, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, length);
            }
            7 | 8 => {
                if has_job {
                    continue;
                }
                let lent = shared.as_ref().ok().filter(|_| step % 12 == 8).cloned();
                has_job = worker
                    .post(
                        &(take as fn((Vec<u8>, Option<SharedBytes>))),
                        &(script.bytes().to_vec(), lent),
                        Location::caller(),
                        None,
                        None,
                    )
                    .is_ok();
                seq = if has_job { slot::next_seq(seq) } else { seq };
            }
            9 => {
                if !has_job {
                    continue;
                }
                match worker.poll_outcome(cx, &runtime) {
                    Poll::Ready(Outcome::Answered(answer)) => open_answer(answer, script.byte().unwrap_or(0)),
                    Poll::Ready(_) => return,
                    Poll::Pending => continue,
                }
                has_job = false;
            }
            10 => {
                if !has_job {
                    let _ = worker.poll_retire_decision(cx, &runtime);
                }
            }
            _ => match script.byte() {
                Some(0) => process.record_end(None),
                Some(1) => drop(rustix::io::write(&their_doorbell, &script.number().to_ne_bytes())),
                _ => worker.request_shutdown(),
            },
        }
    }
}

fn take(_: (Vec<u8>, Option<SharedBytes>)) {}

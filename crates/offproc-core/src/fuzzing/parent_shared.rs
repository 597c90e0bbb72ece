//! A parent, and what a worker may do to the memory that they share.

use super::script::{Script, host, open_answer};
use crate::parent::launcher::Guard;
use crate::parent::process::Process;
use crate::parent::shared::SharedLine;
use crate::parent::stream::StreamLine;
use crate::parent::worker::{Outcome, Worker};
use crate::shared_bytes::SharedBytes;
use crate::sys::descriptors;
use crate::sys::shared_memory::{SharedMemory, bell};
use crate::wire::turn;
use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use rustix::io::pwrite;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

const LIMIT: usize = 1 << 17;
/// Where the data begins, and the worker's words.
const DATA: u64 = 4096;
const REPLY: u64 = 64;
const VERDICT: u64 = 72;
const KIND: u64 = 76;

/// The script is the worker's side.
#[doc(hidden)]
pub fn parent_shared(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(options) = script.byte() else { return };
    let (host, cx) = (host(), &mut Context::from_waker(Waker::noop()));
    let (Ok((control, theirs)), Ok((lifeline, _)), Ok((ours, their_bell)), Ok((memory, words))) =
        (descriptors::pair(), descriptors::pair(), bell(), SharedMemory::create())
    else {
        return;
    };
    let process = Process::announced();
    let line = SharedLine::new(memory, ours, StreamLine::new(control, Vec::new(), Vec::new(), LIMIT), LIMIT, false);
    let mut worker = Worker::new(Guard(Arc::clone(&process)), Box::new(line), lifeline, LIMIT, options & 1 != 0);
    let shared = SharedBytes::copy_from_slice(b"lent with a job");
    let (mut turn, mut has_job) = (0_u32, false);
    while let Some(step) = script.byte() {
        match step % 12 {
            0 => script.say(&theirs),
            1 => {
                let at = script.number() % (DATA + LIMIT as u64);
                let _ = pwrite(&words, script.bytes(), at);
            }
            2 => drop(pwrite(&words, script.bytes(), DATA)),
            3 => {
                // An answer in form, whatever the numbers.
                let mut up = [0; 16];
                up[0] = script.byte().unwrap_or(0);
                up[4..12].copy_from_slice(&script.number().to_le_bytes());
                up[12] = script.byte().unwrap_or(0);
                let _ = pwrite(&words, &up, KIND);
                let _ = pwrite(&words, &turn.to_ne_bytes(), REPLY);
            }
            4 => {
                let leaves = u32::from(script.byte().unwrap_or(0) & 1) << 31;
                let _ = pwrite(&words, &(turn | leaves).to_ne_bytes(), VERDICT);
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
                        |_: (Vec<u8>, Option<SharedBytes>)| (),
                        &(script.bytes().to_vec(), lent),
                        Location::caller(),
                        None,
                    )
                    .is_ok();
                turn = if has_job { turn::next(turn) } else { turn };
            }
            9 => {
                if !has_job {
                    continue;
                }
                match worker.poll_outcome(cx, &host) {
                    Poll::Ready(Outcome::Answered(answer)) => open_answer(answer, script.byte().unwrap_or(0)),
                    Poll::Ready(_) => return,
                    Poll::Pending => continue,
                }
                has_job = false;
            }
            10 => {
                if !has_job {
                    let _ = worker.poll_verdict(cx, &host);
                }
            }
            _ => match script.byte() {
                Some(0) => process.record_end(None),
                Some(1) => drop(rustix::io::write(&their_bell, &script.number().to_ne_bytes())),
                _ => worker.hang_up(),
            },
        }
    }
}

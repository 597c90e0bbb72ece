//! A worker, with hostile contents of the memory that it shares with its parent.

use super::script::Script;
use super::worker_stream::run;
use crate::job::attachments::Incoming;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::pairs;
use crate::sys::shared_memory::{SharedMemory, doorbell};
use crate::worker::channel::shm::WorkerShm;
use crate::worker::channel::stream::WorkerStream;
use crate::worker::channel::worker_channel::{Next, WorkerChannel};
use rustix::fs::ftruncate;
use rustix::io::pwrite;
use rustix::net::Shutdown;
use std::time::Duration;

const LIMIT: usize = 1 << 16;
const DATA: u64 = 4096;
const LENGTH: u64 = 8;

/// The script is the parent's side: first all that it sends on the socket.
#[doc(hidden)]
pub fn worker_shared(data: &[u8]) {
    let mut script = Script::new(data);
    let (Ok((control, theirs)), Ok((_ours, doorbell)), Ok((_parent, words))) =
        (pairs::pair(), doorbell(), SharedMemory::create(LIMIT))
    else {
        return;
    };
    while let Some(step) = script.byte() {
        if step == 0 {
            break;
        }
        script.say(&theirs);
    }
    // So that the worker never waits for bytes that do not come.
    let _ = rustix::net::shutdown(&theirs, Shutdown::Write);
    let (Ok(control), Ok(doorbell), Ok(memory)) =
        (control.into_owned(), doorbell.into_owned(), words.clone().into_owned())
    else {
        return;
    };
    let Ok(memory) = SharedMemory::open(memory) else { return };
    let mut channel = WorkerShm::new(memory, doorbell, WorkerStream::new(control, LIMIT), Duration::ZERO);
    let mut incoming = Incoming::default();
    while let Some(step) = script.byte() {
        match step % 6 {
            0 => drop(pwrite(&words, script.bytes(), script.number() % (DATA + 64))),
            1 => drop(pwrite(&words, script.bytes(), DATA)),
            2 => drop(ftruncate(&words, script.number() % (1 << 26))),
            3 => {
                // A job in the right form, with any numbers.
                let _ = pwrite(&words, &script.number().to_ne_bytes(), LENGTH);
                let _ = pwrite(&words, &u64::from(script.byte().unwrap_or(0)).to_ne_bytes(), LENGTH + 8);
                post(&words, script.number());
            }
            _ => match channel.next(Some(Duration::ZERO), &mut incoming) {
                Ok(Next::Job(body)) => {
                    if !run(body, &mut channel, &mut incoming, script.byte().unwrap_or(0)) {
                        return;
                    }
                    let _ = channel.send_decision(script.byte().unwrap_or(0) & 1 == 0);
                }
                _ => return,
            },
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "any number will do")]
fn post(words: &TrackedFd, seq: u64) {
    let _ = pwrite(words, &(seq as u32).to_ne_bytes(), 0);
}

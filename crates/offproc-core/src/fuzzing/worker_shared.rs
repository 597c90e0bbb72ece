//! A worker, and what may stand in the memory that it shares with its parent.

use super::script::Script;
use super::worker_stream::run;
use crate::sys::descriptors::{self, Descriptor};
use crate::sys::shared_memory::{SharedMemory, bell};
use crate::wire::attachments::Incoming;
use crate::worker::port::{Next, Port};
use crate::worker::shared_port::SharedPort;
use crate::worker::stream_port::StreamPort;
use rustix::fs::ftruncate;
use rustix::io::pwrite;
use rustix::net::Shutdown;
use std::time::Duration;

const LIMIT: usize = 1 << 16;
const DATA: u64 = 4096;
const LENGTH: u64 = 8;

/// The script is the parent's side: first all of what it says beside the memory.
#[doc(hidden)]
pub fn worker_shared(data: &[u8]) {
    let mut script = Script::new(data);
    let (Ok((control, theirs)), Ok((_ours, bell)), Ok((_parent, words))) =
        (descriptors::pair(), bell(), SharedMemory::create())
    else {
        return;
    };
    while let Some(step) = script.byte() {
        if step == 0 {
            break;
        }
        script.say(&theirs);
    }
    // So that the worker never waits for what does not come.
    let _ = rustix::net::shutdown(&theirs, Shutdown::Write);
    let (Ok(control), Ok(bell), Ok(memory)) = (control.into_owned(), bell.into_owned(), words.clone().into_owned())
    else {
        return;
    };
    let Ok(memory) = SharedMemory::open(memory) else { return };
    let mut port = SharedPort::new(memory, bell, StreamPort::new(control, LIMIT), Duration::ZERO);
    let mut incoming = Incoming::default();
    while let Some(step) = script.byte() {
        match step % 6 {
            0 => drop(pwrite(&words, script.bytes(), script.number() % (DATA + 64))),
            1 => drop(pwrite(&words, script.bytes(), DATA)),
            2 => drop(ftruncate(&words, script.number() % (1 << 26))),
            3 => {
                // A job in form, whatever the numbers.
                let _ = pwrite(&words, &script.number().to_ne_bytes(), LENGTH);
                let _ = pwrite(&words, &u64::from(script.byte().unwrap_or(0)).to_ne_bytes(), LENGTH + 8);
                post(&words, script.number());
            }
            _ => match port.next(Some(Duration::ZERO), &mut incoming) {
                Ok(Next::Job(body)) => {
                    if !run(body, &mut port, &mut incoming, script.byte().unwrap_or(0)) {
                        return;
                    }
                    let _ = port.tell(script.byte().unwrap_or(0) & 1 == 0);
                }
                _ => return,
            },
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "any turn will do")]
fn post(words: &Descriptor, turn: u64) {
    let _ = pwrite(words, &(turn as u32).to_ne_bytes(), 0);
}

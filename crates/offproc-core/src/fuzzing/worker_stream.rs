//! A worker, with a hostile hello and hostile jobs on its connection.

use super::script::{Script, Shape};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::codec;
use crate::job::exchange::{Exchange, ItemHooks, ResultRoom};
use crate::job::shared_bytes::SharedBytes;
use crate::job::state::WorkerState;
use crate::job::trampoline::{self, Job};
use crate::sys::pairs;
use crate::wire::frame::{HEADER, Kind};
use crate::wire::hello::Hello;
use crate::worker::channel::stream::WorkerStream;
use crate::worker::channel::worker_channel::{Next, WorkerChannel};
use crate::worker::stop;
use rustix::net::Shutdown;
use std::time::Duration;

const LIMIT: usize = 1 << 16;
/// More answers than this would not fit into the socket, which is never read.
const MOST: usize = 32;

/// The script is the parent's side; it is sent before the worker runs.
#[doc(hidden)]
pub fn worker_stream(data: &[u8]) {
    let mut script = Script::new(data);
    let Ok((control, theirs)) = pairs::pair() else { return };
    while let Some(step) = script.byte() {
        if step == 0 {
            break;
        }
        script.say(&theirs);
    }
    let _ = rustix::net::shutdown(&theirs, Shutdown::Write);
    let Ok(control) = control.into_owned() else { return };
    let mut channel = WorkerStream::new(control, LIMIT);
    let Ok((Some(first), _descriptors)) = channel.first() else { return };
    if first.kind == Kind::Hello {
        if let Ok(hello) = codec::decode::<Hello>(first.body()) {
            drop(format!("{hello:?}"));
            channel.set_limit(hello.settings.transport.max_message_size.saturating_add(HEADER).min(LIMIT));
        }
    }
    let mut incoming = Incoming::default();
    for _ in 0..MOST {
        let Ok(Next::Job(body)) = channel.next(Some(Duration::ZERO), &mut incoming) else { return };
        // Whatever it says: of a job that is no chunk, too.
        let _ = channel.is_withdrawn();
        if !run(body, &mut channel, &mut incoming, script.byte().unwrap_or(0)) {
            return;
        }
    }
}

/// A job, as far as its words can be believed: which function it is for is the parent's say.
#[allow(unsafe_code)]
pub(super) fn run(body: *const [u8], channel: &mut dyn WorkerChannel, incoming: &mut Incoming, choice: u8) -> bool {
    // SAFETY: the channel has just handed it out, and nothing was begun since.
    let Some(job) = Job::open(unsafe { &*body }) else { return true };
    let _ = job.code.addresses();
    let _limited = job.options.soft.as_ref().map(stop::limit);
    let input = std::ptr::from_ref(job.argument);
    let result = channel.as_result_room();
    const HOOKS: &ItemHooks = &ItemHooks {
        catch: |_, item| {
            item();
            Ok(())
        },
        should_stop: || false,
    };
    let state = &mut WorkerState::default();
    let outgoing = Outgoing::default();
    let mut exchange = Exchange { result, incoming, outgoing, limit: LIMIT, state, hooks: HOOKS, last_entry: None };
    // SAFETY: a part of the body, which stays as it is until `run_function` begins the answer.
    let done = unsafe {
        match choice % 4 {
            0 => {
                let length: fn(Vec<u8>) -> usize = |bytes| bytes.len();
                trampoline::run_function(length, input, &mut exchange)
            }
            1 => {
                let echo: fn(SharedBytes) -> SharedBytes = |bytes| bytes;
                trampoline::run_function(echo, input, &mut exchange)
            }
            _ => {
                let look: fn(Shape) -> usize = |shape| format!("{shape:?}").len();
                trampoline::run_function(look, input, &mut exchange)
            }
        }
    };
    let outgoing = exchange.outgoing;
    match done {
        Ok(written) => channel.answer(Kind::Done, written, &outgoing).is_ok(),
        Err(_) => true,
    }
}

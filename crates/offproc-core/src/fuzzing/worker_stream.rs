//! A worker, and what may come to it on its connection: a hello, and jobs.

use super::script::{Script, Shape};
use crate::shared_bytes::SharedBytes;
use crate::sys::descriptors;
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::codec;
use crate::wire::frame::{HEADER, Kind};
use crate::wire::hello::Hello;
use crate::wire::message::Job;
use crate::worker::port::{Next, Port};
use crate::worker::stop;
use crate::worker::stream_port::StreamPort;
use crate::worker::trampoline::{self, Exchange};
use rustix::net::Shutdown;
use std::time::Duration;

const LIMIT: usize = 1 << 16;
/// More answers than this would not fit into the socket, which nobody reads.
const MOST: usize = 32;

/// The script is the parent's side, first all of what it says.
#[doc(hidden)]
pub fn worker_stream(data: &[u8]) {
    let mut script = Script::new(data);
    let Ok((control, theirs)) = descriptors::pair() else { return };
    while let Some(step) = script.byte() {
        if step == 0 {
            break;
        }
        script.say(&theirs);
    }
    let _ = rustix::net::shutdown(&theirs, Shutdown::Write);
    let Ok(control) = control.into_owned() else { return };
    let mut port = StreamPort::new(control, LIMIT);
    let Ok((Some(first), _descriptors)) = port.first() else { return };
    if first.kind == Kind::Hello
        && let Ok(hello) = codec::decode::<Hello>(first.body())
    {
        drop(format!("{hello:?}"));
        port.set_limit(usize::try_from(hello.frame_limit).unwrap_or(usize::MAX).saturating_add(HEADER).min(LIMIT));
    }
    let mut incoming = Incoming::default();
    for _ in 0..MOST {
        let Ok(Next::Job(body)) = port.next(Some(Duration::ZERO), &mut incoming) else { return };
        if !run(body, &mut port, &mut incoming, script.byte().unwrap_or(0)) {
            return;
        }
    }
}

/// A job, as far as its words can be believed: which function it is for is the parent's say.
#[allow(unsafe_code)]
pub(super) fn run(body: *const [u8], port: &mut dyn Port, incoming: &mut Incoming, choice: u8) -> bool {
    // SAFETY: the port has just handed it out, and nothing was begun since.
    let Some(job) = Job::open(unsafe { &*body }) else { return true };
    let (_, _) = (job.trampoline.address(), job.function.address());
    let _limited = job.soft.map(|soft| stop::limit(&soft));
    let input = std::ptr::from_ref(job.argument);
    let mut exchange = Exchange { port, incoming, outgoing: Outgoing::default(), limit: LIMIT };
    let done = match choice % 4 {
        0 => {
            let length: fn(Vec<u8>) -> usize = |bytes| bytes.len();
            trampoline::run::<Vec<u8>, usize>(length as usize, input, &mut exchange)
        }
        1 => {
            let echo: fn(SharedBytes) -> SharedBytes = |bytes| bytes;
            trampoline::run::<SharedBytes, SharedBytes>(echo as usize, input, &mut exchange)
        }
        _ => {
            let look: fn(Shape) -> usize = |shape| format!("{shape:?}").len();
            trampoline::run::<Shape, usize>(look as usize, input, &mut exchange)
        }
    };
    let outgoing = exchange.outgoing;
    match done {
        Ok(written) => port.answer(Kind::Done, written, outgoing).is_ok(),
        Err(_) => true,
    }
}

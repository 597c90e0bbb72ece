//! The worker runs a chunk.

use super::layout::{ChunkBounds, FAILED, HEADER, TIME, VALUE, split_header};
use crate::error::{DecodeError, EncodeError};
use crate::job::codec;
use crate::job::exchange::Exchange;
use crate::job::message::{AfterPanic, Failure};
use crate::job::state::{Use, WorkerState};
use crate::wire::writer::Writer;
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use std::time::{Duration, Instant};

/// Runs the items in `input`, and writes the results. Returns the length of the answer, as far as it is not published.
/// `call` may take the state of the worker; an item that panics while it has it is the last one.
pub(crate) fn run<A, R>(
    mut call: impl FnMut(&mut WorkerState, A) -> Result<R, DecodeError>,
    input: &[u8],
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    A: DeserializeOwned,
    R: Serialize,
{
    run_each(input, exchange, |item, start, exchange| {
        let end = run_item(&mut call, item, start, exchange)?;
        Ok((end, exchange.state.use_of_job() != Use::Lent))
    })
}

/// Runs the items in `input`, until one of its bounds is reached, the rest is withdrawn, or `each` says so. `each` runs
/// an item, writes its entry behind so many bytes, and returns where the entry ends.
pub(super) fn run_each(
    input: &[u8],
    exchange: &mut Exchange<'_>,
    mut each: impl FnMut(&[u8], usize, &mut Exchange<'_>) -> Result<(usize, bool), Failure>,
) -> Result<usize, Failure> {
    let Some((bounds, items)) = input.split_first_chunk() else { return Err(incomplete()) };
    let bounds = ChunkBounds::from_bytes(*bounds);
    // The answer is written to where the chunk is.
    let mut copy = Vec::new();
    copy.try_reserve_exact(items.len())
        .map_err(|e| Failure::Decode(DecodeError(format!("there is no memory in the worker for a chunk: {e}"))))?;
    copy.extend_from_slice(items);
    let mut rest = &*copy;
    exchange.outgoing = exchange.result.outgoing(exchange.incoming);
    let mut written = exchange.result.begin(exchange.limit).map_err(no_memory)?.written();
    let enough = bounds.bytes.min(exchange.limit);
    let (mut watch, mut size, mut done) = (Watch::new(bounds.time), 0, 0);
    exchange.last_entry = Some(written);
    while let Some((length, behind)) = split_header(rest) {
        if exchange.result.is_withdrawn() {
            break;
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= behind.len()).ok_or_else(incomplete)?;
        let (item, others) = behind.split_at(length);
        rest = others;
        let start = exchange.result.publish(written).map_err(no_memory)?;
        exchange.last_entry = Some(start);
        let goes_on;
        (written, goes_on) = each(item, start, exchange)?;
        size += written - start;
        done += 1;
        // An attachment goes with the answer, not with what is published.
        if !goes_on
            || size >= enough
            || !exchange.outgoing.is_empty()
            || watch.is_over(done)
            || (exchange.hooks.should_stop)()
        {
            break;
        }
    }
    let took = u64::try_from(watch.began.elapsed().as_nanos()).unwrap_or(u64::MAX).min(VALUE);
    let mut writer = exchange.result.resume(written, HEADER).map_err(no_memory)?;
    // Without room for it the parent measures by itself.
    let _ = writer.extend(&(TIME | took).to_le_bytes());
    Ok(writer.written())
}

/// Runs one item, and writes its entry behind the first `start` bytes. Returns where the entry ends.
fn run_item<A, R>(
    call: &mut impl FnMut(&mut WorkerState, A) -> Result<R, DecodeError>,
    item: &[u8],
    start: usize,
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    A: DeserializeOwned,
    R: Serialize,
{
    let mut written = Ok(start);
    let caught = (exchange.hooks.catch)(start, &mut || {
        let argument = exchange.incoming.while_receiving_part(|| codec::decode::<A>(item));
        let result = argument.and_then(|argument| call(exchange.state, argument)).map_err(Failure::Decode);
        written = result.and_then(|result| {
            exchange.outgoing.receive_part(exchange.incoming);
            let outgoing = &mut exchange.outgoing;
            let mut writer = exchange.result.resume(start, exchange.limit.saturating_add(HEADER)).map_err(no_memory)?;
            write_entry(0, &mut writer, |writer| outgoing.while_sending_part(|| codec::encode(&result, writer)))
                .map_err(Failure::Encode)
        });
        exchange.state.give_back();
    });
    match caught.map_or_else(|error| Err(Failure::Panicked { error, then: AfterPanic::Nothing }), |()| written) {
        Ok(written) => Ok(written),
        Err(failure) => fail_item(failure, start, exchange),
    }
}

/// Writes the entry of an item that failed, behind the first `start` bytes. Returns where it ends.
pub(super) fn fail_item(failure: Failure, start: usize, exchange: &mut Exchange<'_>) -> Result<usize, Failure> {
    exchange.outgoing.take_back();
    let mut writer = exchange.result.resume(start, exchange.limit.saturating_add(HEADER)).map_err(no_memory)?;
    write_failure(failure, exchange.limit, &mut writer).map_err(Failure::Encode)
}

/// Writes the entry of an item that failed. Returns where it ends.
pub(crate) fn write_failure(mut failure: Failure, limit: usize, writer: &mut Writer<'_>) -> Result<usize, EncodeError> {
    let start = writer.written();
    write_entry(FAILED, writer, |writer| codec::encode(&failure, writer)).or_else(|_| {
        writer.truncate(start);
        failure.shorten(limit / 8);
        write_entry(FAILED, writer, |writer| codec::encode(&failure, writer))
    })
}

pub(super) fn write_entry(
    flags: u64,
    writer: &mut Writer<'_>,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<usize, EncodeError> {
    let start = writer.written();
    writer.extend(&[0; HEADER]).map_err(|_| EncodeError("there is no room for the result".to_owned()))?;
    write(writer)?;
    let written = writer.written();
    writer.patch(start, (flags | (written - start - HEADER) as u64).to_le_bytes());
    Ok(written)
}

#[cold]
fn incomplete() -> Failure {
    Failure::Decode(DecodeError("the chunk is incomplete".to_owned()))
}

#[cold]
pub(super) fn no_memory(e: io::Error) -> Failure {
    Failure::Encode(EncodeError(format!("there is no memory for the result: {e}")))
}

/// Finds when the items have run for long enough. To read the clock takes as long as some items.
struct Watch {
    began: Instant,
    budget: Option<Duration>,
    /// After how many items to look.
    next: usize,
}

impl Watch {
    /// The most items between two looks.
    const UNSEEN: usize = 32;

    fn new(budget: Option<Duration>) -> Self {
        Self { began: Instant::now(), budget, next: 1 }
    }

    #[inline]
    fn is_over(&mut self, done: usize) -> bool {
        done >= self.next && self.look(done)
    }

    fn look(&mut self, done: usize) -> bool {
        let Some(budget) = self.budget else {
            self.next = usize::MAX;
            return false;
        };
        let took = self.began.elapsed();
        let Some(left) = budget.checked_sub(took).filter(|left| !left.is_zero()) else { return true };
        // No more than half of what fits, if the items go on as they did, nor more than there were.
        let fits = left.as_nanos() * done as u128 / took.as_nanos().max(1) / 2;
        let items = usize::try_from(fits).unwrap_or(usize::MAX);
        self.next = done + items.clamp(1, done.min(Self::UNSEEN));
        false
    }
}

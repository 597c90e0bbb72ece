//! The worker runs a chunk whose results are folded.

use super::layout::{FOLDED, HEADER};
use super::run::{fail_item, no_memory, run_each, write_entry};
use crate::error::DecodeError;
use crate::job::codec;
use crate::job::exchange::Exchange;
use crate::job::message::{AfterPanic, Failure};
use crate::job::state::{Use, WorkerState};
use serde::{Serialize, de::DeserializeOwned};

/// What begins a fold, and what adds a result.
pub(crate) type FoldFunctions<R, B> = (fn() -> B, fn(B, R) -> B);

/// Runs the items in `input`, and folds the results. Returns the length of the answer, as far as it is not published.
/// `call` is as for [`run`](super::run()).
///
/// The value that is folded travels at the end alone. A panic while a result is added takes it along: then the chunk
/// ends without a value, and the parent counts the items that were in it as lost.
pub(crate) fn run_fold<A, R, B>(
    mut call: impl FnMut(&mut WorkerState, A) -> Result<R, DecodeError>,
    (init, fold): FoldFunctions<R, B>,
    input: &[u8],
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    A: DeserializeOwned,
    B: Serialize,
{
    let mut value = None;
    // How many items are folded since the last failure or part, where that is written, and where the last item ended.
    let (mut folded, mut at, mut end) = (0, 0, usize::MAX);
    let written = run_each(input, exchange, |item, start, exchange| {
        if start != end {
            (folded, at) = (0, start);
        }
        let mut is_adding = false;
        let mut failed = None;
        let caught = (exchange.hooks.catch)(start, &mut || {
            let argument = exchange.incoming.while_receiving_part(|| codec::decode::<A>(item));
            match argument.and_then(|argument| call(exchange.state, argument)) {
                Ok(result) => {
                    exchange.state.give_back();
                    is_adding = true;
                    value = Some(fold(value.take().unwrap_or_else(init), result));
                    is_adding = false;
                }
                Err(error) => failed = Some(Failure::Decode(error)),
            }
        });
        let failed = caught.err().map(|error| Failure::Panicked { error, then: AfterPanic::Nothing }).or(failed);
        if let Some(failure) = failed {
            end = fail_item(failure, start, exchange)?;
            (folded, at) = (0, end);
        } else {
            folded += 1;
            let mut writer = exchange.result.resume(at, HEADER).map_err(no_memory)?;
            let _ = writer.extend(&(FOLDED | folded).to_le_bytes());
            end = writer.written();
        }
        Ok((end, !is_adding && exchange.state.use_of_job() != Use::Lent))
    })?;
    if value.is_none() {
        return Ok(written);
    }
    exchange.last_entry = Some(written);
    // As an item: its `Serialize` may panic, and so may its drop.
    let mut ended = Ok(written);
    let caught = (exchange.hooks.catch)(written, &mut || {
        let Some(value) = value.take() else { return };
        let outgoing = &mut exchange.outgoing;
        let writer = exchange.result.resume(written, exchange.limit.saturating_add(HEADER));
        ended = writer.map_err(no_memory).and_then(|mut writer| {
            write_entry(0, &mut writer, |writer| outgoing.while_sending(|| codec::encode(&value, writer)))
                .map_err(Failure::Encode)
        });
    });
    match caught.map_or_else(|error| Err(Failure::Panicked { error, then: AfterPanic::Nothing }), |()| ended) {
        Ok(written) => Ok(written),
        Err(failure) => fail_item(failure, written, exchange),
    }
}

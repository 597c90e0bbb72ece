//! A worker runs a chunk, and the parent reads what it came to.

use super::{ChunkBounds, ChunkOutcome, run};
use crate::error::{DecodeError, Error};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::codec;
use crate::job::exchange::{Exchange, ItemHooks, ResultRoom};
use crate::job::message::Answer;
use crate::job::state::WorkerState;
use crate::wire::frame::{Frame, Kind};
use crate::wire::writer::Writer;
use std::io;

const LIMIT: usize = 1 << 16;

const HOOKS: ItemHooks = ItemHooks {
    catch: |_, item| {
        item();
        Ok(())
    },
    should_stop: || false,
};

/// The answer, and before how many items the rest is withdrawn.
struct Room(Vec<u8>, usize);

impl ResultRoom for Room {
    fn outgoing(&self, _: &mut Incoming) -> Outgoing {
        Outgoing::default()
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        self.0.clear();
        Writer::new(&mut self.0, 0, limit)
    }

    fn resume(&mut self, written: usize, more: usize) -> io::Result<Writer<'_>> {
        self.0.truncate(written);
        Writer::new(&mut self.0, written, written.saturating_add(more))
    }

    fn publish(&mut self, written: usize) -> io::Result<usize> {
        Ok(written)
    }

    fn is_withdrawn(&mut self) -> bool {
        let left = self.1.checked_sub(1);
        self.1 = left.unwrap_or(0);
        left.is_none()
    }
}

/// What the items 0, 1, 2 … come to, in a worker without a state.
fn results(
    items: u32,
    withdrawn_after: usize,
    call: impl FnMut(&mut WorkerState, u32) -> Result<u32, DecodeError>,
) -> Vec<Result<u32, Error>> {
    let mut chunk = ChunkBounds { time: None, bytes: LIMIT }.to_bytes().to_vec();
    for item in 0..items {
        let mut bytes = Vec::new();
        codec::encode_to(&item, &mut bytes).unwrap();
        chunk.extend((bytes.len() as u64).to_le_bytes());
        chunk.extend(bytes);
    }
    let (mut room, mut incoming, mut state) =
        (Room(Vec::new(), withdrawn_after), Incoming::default(), WorkerState::default());
    let (incoming, state, outgoing) = (&mut incoming, &mut state, Outgoing::default());
    let result = &mut room;
    let mut exchange = Exchange { result, incoming, outgoing, limit: LIMIT, state, hooks: &HOOKS, last_entry: None };
    let written = run(call, &chunk, &mut exchange).unwrap();
    assert_eq!(written, room.0.len());
    let answer = Answer::new(Frame::of_body(Kind::Items, room.0), Incoming::default());
    let ChunkOutcome::Ran(mut answer) = answer.into_chunk(items as usize) else { panic!("an answer to the chunk") };
    std::iter::from_fn(|| answer.next_result()).collect()
}

/// As where a parent is mistaken about the state: that is the error of the item which takes it.
#[test]
fn an_item_that_has_no_state_fails_alone() {
    let results = results(5, usize::MAX, |state, item| match item {
        1 | 3 => state.lend::<u64>().map(|_| 0),
        _ => Ok(item * 10),
    });
    assert_eq!(results.len(), 5);
    for (item, result) in (0..).zip(results) {
        match (item, result) {
            (1 | 3, Err(Error::Decode(error))) => assert!(error.to_string().contains("no state"), "{error}"),
            (item, result) => assert_eq!(result.unwrap(), item * 10),
        }
    }
}

#[test]
fn what_is_withdrawn_has_not_begun() {
    for withdrawn_after in [0, 1, 3, 5, 6] {
        let mut begun = 0;
        let results = results(5, withdrawn_after, |_, item| {
            begun += 1;
            Ok(item)
        });
        assert_eq!((results.len(), begun), (withdrawn_after.min(5), withdrawn_after.min(5)));
    }
}

//! The parent reads the answer to a chunk.

use super::layout::{FAILED, FOLDED, HEADER, TIME, VALUE, split_header};
use crate::error::Error;
use crate::job::attachments::Incoming;
use crate::job::codec;
use crate::job::message::{Answer, Failure};
use crate::wire::frame::{Frame, Kind};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// What a chunk came to.
#[derive(Debug)]
pub enum ChunkOutcome {
    /// Its first items have run: as many as there are results, or failures.
    Ran(ChunkAnswer),
    /// None of them has.
    Failed(Error),
    /// The worker has answered something else, or for more items than it had.
    Unreadable,
}

/// The results of the items of a chunk, in their order; each is decoded when it is taken.
#[derive(Debug)]
pub struct ChunkAnswer {
    frame: Frame,
    incoming: Incoming,
    // Where the next entry begins, and how many there are.
    at: usize,
    left: usize,
    // How many items have run, and how many of them are folded.
    ran: usize,
    folded: usize,
    // Where the value of a fold is.
    value: Option<usize>,
    has_panics: bool,
    took: Option<Duration>,
}

impl Answer {
    /// The answer to a chunk of at most `most` items.
    #[must_use]
    pub fn into_chunk(self, most: usize) -> ChunkOutcome {
        let (frame, incoming) = self.into_parts();
        match frame.kind {
            Kind::Failed => {
                ChunkOutcome::Failed(codec::decode::<Failure>(frame.body()).map_or_else(Error::Decode, Error::from))
            }
            Kind::Items | Kind::LastItems | Kind::LastWithState => ChunkAnswer::open(frame, incoming, most),
            _ => ChunkOutcome::Unreadable,
        }
    }
}

impl ChunkAnswer {
    fn open(frame: Frame, incoming: Incoming, most: usize) -> ChunkOutcome {
        let mut answer =
            Self { frame, incoming, at: 0, left: 0, ran: 0, folded: 0, value: None, has_panics: false, took: None };
        let mut rest = answer.frame.body();
        while let Some((header, behind)) = split_header(rest) {
            let value = header & VALUE;
            if header & FOLDED == FOLDED {
                answer.folded = answer.folded.saturating_add(usize::try_from(value).unwrap_or(usize::MAX));
                rest = behind;
                continue;
            }
            if header & TIME != 0 && answer.took.is_none() {
                answer.took = Some(Duration::from_nanos(value));
                rest = behind;
                continue;
            }
            let Some((entry, behind)) = usize::try_from(value).ok().and_then(|length| behind.split_at_checked(length))
            else {
                return ChunkOutcome::Unreadable;
            };
            if header & FAILED != 0 {
                answer.has_panics |= matches!(codec::decode(entry), Ok(Failure::Panicked { .. }));
            }
            if answer.took.is_none() {
                answer.left += 1;
            } else if answer.value.replace(answer.frame.body().len() - rest.len()).is_some() {
                return ChunkOutcome::Unreadable;
            }
            rest = behind;
        }
        answer.ran = answer.left.saturating_add(answer.folded);
        if !rest.is_empty() || answer.ran > most { ChunkOutcome::Unreadable } else { ChunkOutcome::Ran(answer) }
    }

    /// How many items have run.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.ran
    }

    /// How many of them were folded.
    #[must_use]
    pub fn folded(&self) -> usize {
        self.folded
    }

    /// How long the items took, if the worker has got to the end of them.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.took
    }

    /// True if an item has panicked.
    #[must_use]
    pub fn has_panics(&self) -> bool {
        self.has_panics
    }

    /// The next result.
    #[inline]
    pub fn next_result<R: DeserializeOwned>(&mut self) -> Option<Result<R, Error>> {
        self.left = self.left.checked_sub(1)?;
        // Its bounds were checked when it came.
        let (mut header, mut behind) = split_header(self.frame.body().get(self.at..)?)?;
        while header & FOLDED == FOLDED {
            self.at += HEADER;
            (header, behind) = split_header(behind)?;
        }
        let bytes = behind.get(..usize::try_from(header & VALUE).ok()?)?;
        self.at += HEADER + bytes.len();
        decode_entry(&mut self.incoming, header, bytes)
    }

    /// What the results were folded to; `None` where that is lost, or there were none.
    pub fn value<B: DeserializeOwned>(&mut self) -> Option<Result<B, Error>> {
        let (header, behind) = split_header(self.frame.body().get(self.value?..)?)?;
        let bytes = behind.get(..usize::try_from(header & VALUE).ok()?)?;
        decode_entry(&mut self.incoming, header, bytes)
    }
}

#[inline]
fn decode_entry<R: DeserializeOwned>(incoming: &mut Incoming, header: u64, bytes: &[u8]) -> Option<Result<R, Error>> {
    if header & FAILED != 0 {
        return Some(Err(codec::decode::<Failure>(bytes).map_or_else(Error::Decode, Error::from)));
    }
    Some(incoming.while_receiving_part(|| codec::decode(bytes)).map_err(Error::Decode))
}

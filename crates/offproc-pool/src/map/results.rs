//! What became of the items of a map, in their order.

use offproc_core::{Answer, BrokenWorkerError, ChunkAnswer, EncodeError, Error, StateError, Transfer};
use std::collections::VecDeque;

/// Items that have not begun.
pub(super) struct Untouched<A> {
    pub(super) items: VecDeque<A>,
    /// Each is to be a job of its own: together they could not be sent.
    pub(super) alone: bool,
}

impl<A> Untouched<A> {
    pub(super) fn new(items: VecDeque<A>) -> Self {
        Self { items, alone: false }
    }
}

/// The results of some items, in their order.
pub(super) type Results = VecDeque<Outcomes>;

/// The results of items that ended in the same way.
pub(super) enum Outcomes {
    Chunk(ChunkAnswer),
    /// Of an item that was a job of its own.
    One(Answer),
    Failed(Error),
    /// So many items, of a context that is closed.
    Closed(usize),
    /// So many items, of a context without the state that the function takes.
    WrongState(usize, StateError),
    /// So many items, as a poll has panicked.
    Panicked(usize),
    /// So many items, of a worker that broke, and nothing says which of them it ran.
    Broken(usize, BrokenWorkerError),
}

/// The next result. The ones that are used up are removed.
#[inline]
pub(super) fn next_result<R: Transfer>(results: &mut Results) -> Option<Result<R, Error>> {
    loop {
        match results.front_mut()? {
            Outcomes::Chunk(answer) => {
                if let Some(result) = answer.next_result() {
                    return Some(result);
                }
                results.pop_front();
            }
            _ => return next_of_others(results),
        }
    }
}

#[inline(never)]
fn next_of_others<R: Transfer>(results: &mut Results) -> Option<Result<R, Error>> {
    match results.pop_front()? {
        Outcomes::Chunk(mut answer) => answer.next_result(),
        Outcomes::One(answer) => Some(answer.open()),
        Outcomes::Failed(error) => Some(Err(error)),
        Outcomes::Closed(count) => {
            if count > 1 {
                results.push_front(Outcomes::Closed(count - 1));
            }
            Some(Err(Error::Closed))
        }
        Outcomes::WrongState(count, error) => {
            if count > 1 {
                results.push_front(Outcomes::WrongState(count - 1, error.clone()));
            }
            Some(Err(error.into()))
        }
        Outcomes::Panicked(count) => {
            if count > 1 {
                results.push_front(Outcomes::Panicked(count - 1));
            }
            Some(Err(Error::Encode(EncodeError::of_panic())))
        }
        Outcomes::Broken(count, error) => {
            if count > 1 {
                results.push_front(Outcomes::Broken(count - 1, error.clone()));
            }
            Some(Err(error.into()))
        }
    }
}

use super::receiving::receive_blocking;
use super::{Receiver, RecvError};
use offproc_core::Transfer;
use std::iter::FusedIterator;

/// The items of a [`Receiver`], each of which blocks the calling thread until it is there: see [`Receiver::wait`].
#[derive(Debug)]
#[must_use = "nothing is received until it is iterated over"]
pub struct ReceiverIter<T>(Receiver<T>);

impl<T: Transfer> Receiver<T> {
    /// An iterator over the items, each of which blocks the calling thread until it is there, whatever runtime that
    /// belongs to; also in a job.
    pub fn wait(self) -> ReceiverIter<T> {
        ReceiverIter(self)
    }
}

impl<T> ReceiverIter<T> {
    /// Why it has ended; `None` while it has not.
    #[must_use]
    pub fn end(&self) -> Option<&RecvError> {
        self.0.end()
    }
}

impl<T: Transfer> Iterator for ReceiverIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.0.end.is_some() {
            return None;
        }
        match receive_blocking(&mut self.0.items) {
            Ok(item) => Some(item),
            Err(error) => {
                self.0.end = Some(error);
                None
            }
        }
    }
}

impl<T: Transfer> FusedIterator for ReceiverIter<T> {}

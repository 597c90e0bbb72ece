//! The destination of serialised values: a private buffer, or memory that both sides map.
#![allow(unsafe_code)]

use std::io;

/// Memory that can be made larger.
pub(crate) trait Room {
    /// Makes room for at least `needed` bytes and keeps the first `used` ones. Returns the new address and size.
    fn grow(&mut self, used: usize, needed: usize) -> io::Result<(*mut u8, usize)>;
}

impl Room for Vec<u8> {
    fn grow(&mut self, used: usize, needed: usize) -> io::Result<(*mut u8, usize)> {
        // SAFETY: the writer has initialised the first `used` bytes, all of them within the capacity it was given.
        unsafe { self.set_len(used) };
        self.try_reserve(needed - used).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok((self.as_mut_ptr(), self.capacity()))
    }
}

/// Appends bytes to a room, up to a limit.
pub(crate) struct Writer<'a> {
    room: &'a mut dyn Room,
    start: *mut u8,
    written: usize,
    capacity: usize,
    limit: usize,
    error: Option<io::Error>,
}

impl<'a> Writer<'a> {
    /// Writes to `room` behind its first `written` bytes, until there are `limit`.
    #[inline]
    pub(crate) fn new(room: &'a mut dyn Room, written: usize, limit: usize) -> io::Result<Self> {
        let (start, capacity) = room.grow(written, written)?;
        Ok(Self { room, start, written, capacity: capacity.min(limit), limit, error: None })
    }

    /// How many bytes are there.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Forgets what was written after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.written = self.written.min(length);
        self.error = None;
    }

    /// Why there was no more room, if not because of the limit.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.capacity.saturating_sub(self.written) {
            self.make_room(bytes.len())?;
        }
        // SAFETY: `written + bytes.len()` is within the capacity, as just checked or made, and the room is exclusively
        // borrowed for as long as the writer is there, so `bytes` is not part of it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.written), bytes.len()) };
        self.written += bytes.len();
        Ok(())
    }

    /// Overwrites bytes that are there.
    pub(crate) fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        assert!(at.checked_add(N).is_some_and(|end| end <= self.written), "it is written already");
        // SAFETY: within what is written, as just checked; see `extend` for the rest.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(at), N) };
    }

    #[cold]
    fn make_room(&mut self, more: usize) -> Result<(), Full> {
        let needed = self.written.checked_add(more).filter(|needed| *needed <= self.limit).ok_or(Full)?;
        // Twice as much as before, so that a large value is not moved for each of its parts; less if the limit is
        // lower.
        let wanted = needed.max(self.capacity.saturating_mul(2)).min(self.limit);
        match self.room.grow(self.written, wanted).or_else(|_| self.room.grow(self.written, needed)) {
            Ok((start, capacity)) => {
                (self.start, self.capacity) = (start, capacity.min(self.limit));
                Ok(())
            }
            Err(e) => {
                self.error = Some(e);
                Err(Full)
            }
        }
    }
}

impl Drop for Writer<'_> {
    #[inline]
    fn drop(&mut self) {
        // Sets the length of a `Vec`; it cannot fail, as nothing grows.
        let _ = self.room.grow(self.written, self.written);
    }
}

/// There is no more room.
#[derive(Debug)]
pub(crate) struct Full;

#[cfg(test)]
mod tests;

//! Where jobs and answers are written to.

use crate::sys::shared_memory::SharedMemory;
use std::io;

pub(crate) struct Writer<'a> {
    memory: &'a mut SharedMemory,
    written: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(memory: &'a mut SharedMemory, written: usize, _limit: usize) -> io::Result<Self> {
        Ok(Self { memory, written })
    }

    /// Writes one byte, which is all that there is.
    pub(crate) fn write(&mut self, byte: u8) -> usize {
        // SAFETY: loom checks that no other thread uses it.
        self.memory.0.data.with_mut(|data| unsafe { *data = byte });
        self.written = 1;
        self.written
    }

    pub(crate) fn written(&self) -> usize {
        self.written
    }
}

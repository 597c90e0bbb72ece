//! Memory that does not change any more, of this process alone: it travels as a copy.
#![allow(unsafe_code)]

use super::fork_registry::TrackedGift;
use super::gifts::Gift;
use std::io;

/// A read-only view of it.
#[derive(Debug)]
pub(crate) struct Sealed {
    lines: Box<[CacheLine]>,
    length: usize,
}

/// Aligns it as a buffer's memory has to be.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct CacheLine(#[expect(dead_code, reason = "it is read as plain bytes")] [u8; LINE]);

const LINE: usize = 64;

impl Sealed {
    /// New memory of this length, all zeroes until `fill` has written to it.
    pub(crate) fn create(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(length.div_ceil(LINE)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        lines.resize(length.div_ceil(LINE), CacheLine([0; LINE]));
        let mut lines = lines.into_boxed_slice();
        // SAFETY: within the lines, whose bytes are all initialised, and to which there is no other reference.
        fill(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), length) });
        Ok(Self { lines, length })
    }

    /// A copy of bytes that another process has sent.
    pub(crate) fn copy_of_received(bytes: &[u8]) -> io::Result<Self> {
        Self::create(bytes.len(), |memory| memory.copy_from_slice(bytes))
    }

    /// Memory from another process: none is sent.
    pub(crate) fn open(_: Gift, _: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: within the lines, whose bytes are all initialised, and which no one writes to any more.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }

    /// It can only be copied.
    pub(crate) fn descriptor(&self) -> Option<&TrackedGift> {
        None
    }
}

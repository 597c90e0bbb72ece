//! The memory of an item channel: a file that both ends map, with words and rings.
//!
//! The file is as large as it may ever have to be, as only touched pages cost memory, and no process can change its
//! size (it is sealed), so that mapped pages stay backed, whatever the other end does. The first page has the words.
//! The ring of `2^n` bytes is at the offset `2^n`, so no two rings overlap; each end maps one at a time.
#![allow(unsafe_code)]

use super::discard::discard;
use super::fork::{generation, lock_registry_in_forks};
use super::fork_registry::TrackedFd;
use super::{limits, memory_file};
use crate::wire::items::words::Words;
use rustix::fs::{FallocateFlags, SealFlags, fallocate, fstat};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::process::Resource;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// The smallest ring has `2^FIRST` bytes, and every channel begins with it.
pub(crate) const FIRST: u32 = 16;
/// The largest ring, if there is no limit on the size of files.
const LAST: u32 = if cfg!(target_pointer_width = "64") { 39 } else { 27 };
/// Before the first ring.
const WORDS: usize = 4096;
const PAGE: u64 = 4096;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// One end's view of the memory.
#[derive(Debug)]
pub(crate) struct RingMemory {
    file: TrackedFd,
    words: Mapping,
    last: u32,
}

impl RingMemory {
    /// New memory, for both ends.
    ///
    /// # Errors
    ///
    /// The system has no such files, or no descriptor or memory, or the limit on the size of files is too low.
    pub(crate) fn create() -> io::Result<[Self; 2]> {
        lock_registry_in_forks();
        let most = limits::of(Resource::Fsize).ok().and_then(|(soft, _)| soft).unwrap_or(u64::MAX);
        let last = (FIRST..=LAST).rev().find(|last| 2 << last <= most).ok_or(io::ErrorKind::FileTooLarge)?;
        let files = memory_file::create("offproc-items", 2 << last, SEALS, |file| {
            let other = rustix::io::fcntl_dupfd_cloexec(&file, 3)?;
            Ok([file, other])
        })?;
        let [a, b] = files.map(|file| Self::map(file, last));
        let (a, b) = (a?, b?);
        a.words().begin(FIRST);
        Ok([a, b])
    }

    /// The memory behind a descriptor from another process, which is not trusted.
    pub(crate) fn open(file: OwnedFd) -> io::Result<Self> {
        lock_registry_in_forks();
        match Self::last_of(&file) {
            Ok(last) => Self::map(file.into(), last),
            Err(e) => {
                discard([file]);
                Err(e)
            }
        }
    }

    fn last_of(file: &OwnedFd) -> io::Result<u32> {
        memory_file::must_have(file, SEALS)?;
        let size = fstat(file)?.st_size.unsigned_abs();
        let last = size.checked_ilog2().and_then(|log| log.checked_sub(1)).filter(|last| *last >= FIRST);
        last.map(|last| last.min(LAST))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the memory is too small"))
    }

    fn map(file: TrackedFd, last: u32) -> io::Result<Self> {
        let words = Mapping::new(&file, 0, WORDS)?;
        Ok(Self { file, words, last })
    }

    pub(crate) fn descriptor(&self) -> &TrackedFd {
        &self.file
    }

    #[inline]
    pub(crate) fn words(&self) -> &Words {
        const { assert!(size_of::<Words>() <= WORDS) };
        // SAFETY: the mapping is larger, aligned to pages, and all zeroes at first, which is a valid `Words`: it is
        // nothing but atomics.
        unsafe { self.words.start.cast().as_ref() }
    }

    /// The number of the largest ring.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// The ring of `2^number` bytes.
    pub(crate) fn ring(&self, number: u32) -> io::Result<Ring> {
        if !(FIRST..=self.last).contains(&number) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no such ring"));
        }
        Ok(Ring { number, mapping: Mapping::new(&self.file, 1 << number, 1 << number)? })
    }

    /// Gives pages of a ring back to the system, for both ends. They are zeroes then.
    pub(crate) fn give_back(&self, ring: &Ring, range: Range<u64>) {
        let (start, end) = (range.start.next_multiple_of(PAGE), range.end.min(ring.size()) / PAGE * PAGE);
        if start < end {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&self.file, flags, ring.size() + start, end - start);
        }
    }
}

/// A ring, as it is mapped: bytes that the other end may change at any time, which are only ever copied in and out.
#[derive(Debug)]
pub(crate) struct Ring {
    number: u32,
    mapping: Mapping,
}

impl Ring {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn size(&self) -> u64 {
        1 << self.number
    }

    /// Where a position is in the ring.
    #[inline]
    pub(crate) fn offset(&self, position: u64) -> u64 {
        position & (self.size() - 1)
    }

    /// The word at an offset; a multiple of 8 that is within the ring.
    #[inline]
    fn word(&self, offset: u64) -> &AtomicU64 {
        assert!(offset < self.size() && offset % 8 == 0, "a word is within the ring");
        // SAFETY: within the mapping, and aligned, as the mapping is aligned to pages and the offset to 8.
        unsafe { self.mapping.start.add(offset as usize).cast().as_ref() }
    }

    #[inline]
    pub(crate) fn load(&self, offset: u64) -> u64 {
        self.word(offset).load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn store(&self, offset: u64, word: u64) {
        self.word(offset).store(word, Ordering::Relaxed);
    }

    #[inline]
    fn bytes(&self, offset: u64, length: usize) -> *mut u8 {
        let end = offset.checked_add(length as u64);
        assert!(end.is_some_and(|end| end <= self.size()), "bytes are within the ring");
        // SAFETY: within the mapping.
        unsafe { self.mapping.start.as_ptr().add(offset as usize) }
    }

    #[inline]
    pub(crate) fn copy_in(&self, offset: u64, bytes: &[u8]) {
        let to = self.bytes(offset, bytes.len());
        // SAFETY: so many bytes are mapped there, and no private memory is part of the mapping. The receiver reads them
        // once they are published.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// A copy of bytes that the other end may be changing meanwhile: this copies bytes, and the caller interprets the
    /// copy alone.
    #[inline]
    pub(crate) fn copy_out(&self, offset: u64, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let from = self.bytes(offset, length);
        into.clear();
        into.try_reserve(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: `length` bytes are mapped and reserved, and a private buffer is not part of the mapping. If the other
        // side writes meanwhile, against the protocol, the copy has some bytes from before and some from after.
        unsafe {
            std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), length);
            into.set_len(length);
        }
        Ok(())
    }

    /// The same, of few bytes.
    #[inline]
    pub(crate) fn copy_out_small(&self, offset: u64, into: &mut [u8]) {
        let from = self.bytes(offset, into.len());
        // SAFETY: so many bytes are mapped there, and a private buffer is not part of the mapping; see `copy_out` for
        // what the other side may do.
        unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    }
}

/// A mapping of a part of the file, unmapped when it is dropped. No fork of this process has it.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
    generation: u32,
}

// SAFETY: the mapping belongs to this value alone within the process, and is not bound to a thread. What the other
// process writes is only read through atomics, or copied out as bytes.
unsafe impl Send for Mapping {}
// SAFETY: as above; the rings' bytes are written through a shared reference by the one sender, whose end is locked.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: &TrackedFd, offset: u64, length: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; the file is at least this long, and its size is
        // sealed.
        let start = unsafe { mmap(std::ptr::null_mut(), length, access, MapFlags::SHARED, file, offset)? };
        // SAFETY: the range is exactly our mapping; the advice changes nothing for this process.
        let _ = unsafe { madvise(start, length, Advice::LinuxDontFork) };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length, generation: generation() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.generation != generation() {
            return; // in a fork, another mapping may be in that place
        }
        // SAFETY: the mapping is ours, of this length, and nothing refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

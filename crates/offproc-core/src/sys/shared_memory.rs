//! Memory that a parent and one worker both map.
//!
//! The parent makes it as large as it may ever have to be: only touched pages cost memory, and a limit on the size of
//! files that a process gets later does not matter. Neither side can make it smaller (it is sealed against that), so
//! mapped pages stay backed, whatever the other side does. Each side maps as much of it as it needs. The parent gives
//! pages that are no longer needed back to the system (`excess.rs`).
#![allow(unsafe_code)]

/// A doorbell, which the worker rings when the parent sleeps.
pub(crate) use super::counter::{add_one as ring, open as doorbell, take as silence};
use super::fork::{generation, lock_registry_in_forks};
use super::fork_registry::TrackedFd;
use super::{huge_pages, memory_file};
use crate::wire::shm::forgotten::Forgotten;
use crate::wire::shm::slot::{Futex, Slot};
use crate::wire::writer::Room;
use rustix::fs::{FallocateFlags, SealFlags, fallocate, fstat};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap, mmap_anonymous, mremap, munmap};
use rustix::thread::futex;
use rustix::time::Timespec;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

mod excess;

use excess::Excess;

/// The offset of the data; the words of the slot are before it.
const DATA: usize = 4096;
/// So much is mapped at first.
const FIRST: usize = 64 << 10;
/// The size that stays mapped and backed between jobs, however small they are.
const KEPT: usize = 16 << 20;
/// The largest size, if there is no limit: neither can a file have the whole address space, nor can a process map it.
const MOST: usize = 1 << if cfg!(target_pointer_width = "64") { 46 } else { 30 };
/// The unit of the size.
const PAGE: usize = 4096;

/// One side's view of the memory.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    memory: TrackedFd,
    words: Arc<Words>,
    // All of it from the beginning, as far as it is mapped.
    data: Mapping,
    size: usize,
    excess: Excess,
}

impl SharedMemory {
    /// New memory for jobs and answers of up to `limit` bytes, and a descriptor of it for the other side.
    pub(crate) fn create(limit: usize) -> io::Result<(Self, TrackedFd)> {
        let size = limit.saturating_add(DATA).clamp(FIRST, MOST).next_multiple_of(PAGE);
        let [memory, theirs] =
            memory_file::create("offproc", size as u64, SealFlags::SHRINK | SealFlags::SEAL, |memory| {
                let theirs = rustix::io::fcntl_dupfd_cloexec(&memory, 3)?;
                Ok([memory, theirs])
            })?;
        lock_registry_in_forks();
        Ok((Self::map(memory, size, Mapping::leave_out_of_forks)?, theirs))
    }

    /// The memory behind a descriptor from the other side.
    pub(crate) fn open(memory: OwnedFd) -> io::Result<Self> {
        memory_file::must_have(&memory, SealFlags::SHRINK)?;
        let size = usize::try_from(fstat(&memory)?.st_size).map_err(|_| io::ErrorKind::InvalidData)?;
        if size < FIRST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(memory.into(), size, |mapping| mapping)
    }

    fn map(memory: TrackedFd, size: usize, finish: impl Fn(Mapping) -> Mapping) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let words = Arc::new(Words { mapping: finish(Mapping::of_file(&memory, DATA, access)?) });
        let data = finish(Mapping::of_file(&memory, FIRST, access)?);
        Ok(Self { memory, words, data, size, excess: Excess::default() })
    }

    /// The words of the slot.
    pub(crate) fn slot(&self) -> &Slot {
        self.words.slot()
    }

    /// The same words, also for threads that do not own the memory now.
    pub(crate) fn words(&self) -> &Arc<Words> {
        &self.words
    }

    /// How many bytes of data there can be.
    pub(crate) fn most(&self) -> usize {
        self.size - DATA
    }

    /// How many bytes of data are mapped.
    pub(crate) fn capacity(&self) -> usize {
        self.data.length - DATA
    }

    /// A copy of the first `length` bytes of data, which the other side may be changing meanwhile: this copies bytes,
    /// and the caller interprets the copy alone.
    #[inline]
    pub(crate) fn copy_out(&mut self, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        self.see(length)?;
        into.clear();
        huge_pages::reserve(into, length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: `length` bytes are mapped and reserved, and a private buffer is not part of the mapping. If the other
        // side writes meanwhile, against the protocol, the copy has some bytes from before and some from after.
        unsafe {
            std::ptr::copy_nonoverlapping(self.data.start.as_ptr().add(DATA), into.as_mut_ptr(), length);
            into.set_len(length);
        }
        Ok(())
    }

    /// The first `length` bytes of data. Valid until the memory is written to or grown; only for a side that trusts the
    /// other not to write now.
    pub(crate) fn data(&mut self, length: usize) -> io::Result<*const [u8]> {
        self.see(length)?;
        // SAFETY: within the mapping.
        Ok(std::ptr::slice_from_raw_parts(unsafe { self.data.start.as_ptr().add(DATA) }, length))
    }

    /// Maps at least this many bytes of data.
    fn see(&mut self, length: usize) -> io::Result<()> {
        let needed = length.checked_add(DATA).filter(|needed| *needed <= self.size);
        let needed =
            needed.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "more data than there is memory"))?;
        if needed > self.data.length { self.data.resize(round_up(needed).min(self.size)) } else { Ok(()) }
    }

    /// Unmaps what a large job needed.
    pub(crate) fn unmap_excess(&mut self) {
        if self.has_excess() {
            let _ = self.data.resize(KEPT);
        }
    }

    /// True if a large job has mapped more than is always kept.
    pub(crate) fn has_excess(&self) -> bool {
        self.data.length > KEPT
    }

    /// Gives what a large job needed back to the system after some jobs that did not need it, or at once where
    /// workers keep too much together. The last job has needed `used` bytes.
    pub(crate) fn give_back_unused(&mut self, used: usize) {
        let excess = self.data.length.saturating_sub(KEPT);
        if !self.excess.is_kept(excess, used > KEPT - DATA) {
            self.give_back_excess(false);
        }
    }

    /// Unmaps what a large job needed, and gives its pages back to the system for both sides.
    ///
    /// `is_suspect`: the other side may have needed more than is mapped here.
    pub(crate) fn give_back_excess(&mut self, is_suspect: bool) {
        if self.has_excess() || is_suspect {
            self.unmap_excess();
            self.excess = Excess::default();
            // A worker that has been taken over may have made it larger.
            let size = fstat(&self.memory).map_or(0, |stat| stat.st_size.unsigned_abs());
            if let Some(excess) = size.checked_sub(KEPT as u64).filter(|excess| *excess > 0) {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                let _ = fallocate(&self.memory, flags, KEPT as u64, excess);
            }
        }
    }
}

impl Room for SharedMemory {
    fn grow(&mut self, _used: usize, needed: usize) -> io::Result<(*mut u8, usize)> {
        self.see(needed)?;
        // SAFETY: within the mapping.
        Ok((unsafe { self.data.start.as_ptr().add(DATA) }, self.capacity()))
    }
}

/// The words alone, mapped a second time: their address stays while that of the data changes.
#[derive(Debug)]
pub(crate) struct Words {
    mapping: Mapping,
}

impl Words {
    /// Where [`Forgotten`] is, behind the [`Slot`].
    const FORGOTTEN: usize = 1024;

    pub(crate) fn slot(&self) -> &Slot {
        const { assert!(size_of::<Slot>() <= Self::FORGOTTEN) };
        // SAFETY: the mapping is larger, aligned to pages, and all zeroes at first, which is a valid `Slot`: it is
        // nothing but atomics.
        unsafe { self.mapping.start.cast().as_ref() }
    }

    /// The buffers that the worker is to unmap.
    pub(crate) fn forgotten(&self) -> &Forgotten {
        const { assert!(Self::FORGOTTEN + size_of::<Forgotten>() <= DATA) };
        // SAFETY: as above, and aligned, as the offset is a multiple of 1024.
        unsafe { self.mapping.start.byte_add(Self::FORGOTTEN).cast().as_ref() }
    }

    /// Has the worker unmap a buffer, at once if it is idle.
    pub(crate) fn forget(&self, buffer: u64) {
        if self.mapping.is_here() && self.forgotten().put(buffer) {
            self.slot().remind(&SharedFutex::ENDLESS);
        }
    }
}

/// Memory that is mapped until this is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
    /// The one process that has it, if its forks do not.
    generation: Option<u32>,
}

// SAFETY: the mapping belongs to this value alone within the process, and is not bound to a thread. Where another
// process can write to it, it is only read through atomics, or copied out as bytes.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference only the words are reached, which are atomics, and memory that no one writes to.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// One of a file from its beginning. The file must not become shorter while this lives.
    pub(super) fn of_file(file: &impl AsFd, length: usize, access: ProtFlags) -> io::Result<Self> {
        fits(length)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        Self::new(unsafe { mmap(std::ptr::null_mut(), length, access, MapFlags::SHARED, file, 0)? }.cast(), length)
    }

    /// One of memory that is no file.
    pub(super) fn private(length: usize) -> io::Result<Self> {
        fits(length)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        Self::new(unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, MapFlags::PRIVATE)? }.cast(), length)
    }

    fn new(start: *mut u8, length: usize) -> io::Result<Self> {
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length, generation: None })
    }

    /// No fork of this process has it, if forks are counted by now.
    pub(super) fn leave_out_of_forks(mut self) -> Self {
        // SAFETY: the range is exactly our mapping; the advice changes nothing for this process.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.length, Advice::LinuxDontFork) };
        self.generation = Some(generation());
        self
    }

    /// False in a fork that was left out: other memory may be in this place.
    pub(super) fn is_here(&self) -> bool {
        self.generation.is_none_or(|its| its == generation())
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Changes how many bytes of the file are mapped; it has at least `length`.
    fn resize(&mut self, length: usize) -> io::Result<()> {
        // SAFETY: the old mapping is ours, of the length we know, and there is no reference into it, as it is
        // exclusively borrowed; the file is at least `length` long, and never becomes shorter.
        let start = unsafe { mremap(self.start.as_ptr().cast(), self.length, length, MremapFlags::MAYMOVE)? };
        self.start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.length = length;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if !self.is_here() {
            return;
        }
        // SAFETY: the mapping is ours, of this length, and nothing refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// No slice may be longer, although on a system of 32 bits a mapping may.
fn fits(length: usize) -> io::Result<()> {
    isize::try_from(length).map(drop).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

fn round_up(size: usize) -> usize {
    size.next_multiple_of(FIRST)
}

/// The kernel's futex, between processes, until a point in time.
pub(crate) struct SharedFutex {
    deadline: Option<Instant>,
}

impl SharedFutex {
    /// For waking only, or for waiting without end.
    pub(crate) const ENDLESS: Self = Self { deadline: None };

    /// For waiting up to a duration from now.
    pub(crate) fn within(patience: Option<Duration>) -> Self {
        Self { deadline: patience.and_then(|patience| Instant::now().checked_add(patience)) }
    }
}

impl Futex for SharedFutex {
    fn wait(&self, word: &AtomicU32, seen: u32) -> bool {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match futex::wait(word, futex::Flags::empty(), seen, timeout.as_ref()) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => true,
            Err(Errno::TIMEDOUT) => false,
            // A sandbox that forbids futexes, against the documentation.
            Err(_) => {
                const STEP: Duration = Duration::from_millis(1);
                std::thread::sleep(left.unwrap_or(STEP).min(STEP));
                left.is_none_or(|left| left > STEP)
            }
        }
    }

    fn wake(&self, word: &AtomicU32) {
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

/// `futex`: whether this process can wake by futex at all: a sandbox may forbid it.
pub(crate) fn has_futexes() -> bool {
    futex::wake(&AtomicU32::new(0), futex::Flags::empty(), 1).is_ok()
}

#[cfg(test)]
mod tests;

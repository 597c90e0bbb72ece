//! Memory that a parent and one worker both map.
//!
//! The memory can grow, from both sides, and never shrinks (it is sealed against that): what is mapped stays backed,
//! whatever the other side does. Pages that are not needed any more are given back without it becoming smaller.
#![allow(unsafe_code)]

use super::descriptors::Descriptor;
use super::fork::is_forked;
use crate::wire::turn::{Futex, Turns};
use crate::wire::writer::Room;
use rustix::event::EventfdFlags;
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate,
};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap, mremap, munmap};
use rustix::thread::futex;
use rustix::time::Timespec;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// Where the words are; the rest is for data.
const DATA: usize = 4096;
/// The size at first: only touched pages cost memory.
const FIRST: usize = 64 << 10;
/// The size that stays mapped and backed between jobs.
pub(crate) const KEPT: usize = 16 << 20;

/// One side's view of the memory.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    memory: Descriptor,
    start: NonNull<u8>,
    mapped: usize,
    // Then a fork of this process does not have the mapping.
    is_made_here: bool,
}

// SAFETY: the mapping belongs to this value alone within the process, and is not bound to a thread. What the other
// process writes is only read through atomics, or copied out as bytes.
unsafe impl Send for SharedMemory {}
// SAFETY: through a shared reference only the words are reached, which are atomics.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// New memory, and a descriptor of it for the other side.
    pub(crate) fn create() -> io::Result<(Self, Descriptor)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know that it need not be executable.
        let [memory, theirs] = Descriptor::open(|| {
            let memory = rustix::fs::memfd_create("offproc", flags | MemfdFlags::NOEXEC_SEAL)
                .or_else(|_| rustix::fs::memfd_create("offproc", flags))?;
            let theirs = rustix::io::fcntl_dupfd_cloexec(&memory, 3)?;
            Ok([memory, theirs])
        })?;
        ftruncate(&memory, FIRST as u64)?;
        fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::SEAL)?;
        let memory = Self::map(memory, true)?;
        // A fork of this process has no business with it.
        // SAFETY: the range is exactly our mapping; the advice changes nothing for this process.
        let _ = unsafe { madvise(memory.start.as_ptr().cast(), memory.mapped, Advice::LinuxDontFork) };
        Ok((memory, theirs))
    }

    /// The memory behind a descriptor from the other side.
    pub(crate) fn open(memory: OwnedFd) -> io::Result<Self> {
        if !fcntl_get_seals(&memory)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::other("the memory is not sealed against shrinking"));
        }
        Self::map(memory.into(), false)
    }

    fn map(memory: Descriptor, is_made_here: bool) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice; the file is at least this long, and sealed
        // against becoming shorter.
        let start = unsafe {
            mmap(std::ptr::null_mut(), FIRST, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &memory, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory, start, mapped: FIRST, is_made_here })
    }

    /// The words by which the two sides take turns.
    pub(crate) fn turns(&self) -> &Turns {
        const { assert!(size_of::<Turns>() <= DATA) };
        // SAFETY: the mapping is larger, aligned to pages, and all zeroes at first, which is a valid `Turns`: it is
        // nothing but atomics.
        unsafe { self.start.cast().as_ref() }
    }

    /// How many bytes of data are mapped.
    pub(crate) fn capacity(&self) -> usize {
        self.mapped - DATA
    }

    /// A copy of the first `length` bytes of data, which the other side may be changing meanwhile: bytes are copied,
    /// and what they mean is decided from the copy.
    pub(crate) fn copy_out(&mut self, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        self.see(length)?;
        into.clear();
        into.try_reserve(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: `length` bytes are mapped and reserved, and a private buffer is not part of the mapping. If the other
        // side writes meanwhile, as it must not, the copy has some bytes from before and some from after.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr().add(DATA), into.as_mut_ptr(), length);
            into.set_len(length);
        }
        Ok(())
    }

    /// The first `length` bytes of data. Valid until the memory is written to or grown; for the side that trusts the
    /// other one not to write now.
    pub(crate) fn data(&mut self, length: usize) -> io::Result<*const [u8]> {
        self.see(length)?;
        // SAFETY: within the mapping.
        Ok(std::ptr::slice_from_raw_parts(unsafe { self.start.as_ptr().add(DATA) }, length))
    }

    /// Sees to it that this many bytes of data are mapped, if the other side has made the memory that large.
    fn see(&mut self, length: usize) -> io::Result<()> {
        let needed = length.checked_add(DATA).ok_or(io::ErrorKind::InvalidData)?;
        if needed > self.mapped {
            if u64::try_from(fstat(&self.memory)?.st_size).unwrap_or(0) < needed as u64 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more data than there is memory"));
            }
            self.remap(round_up(needed))?;
        }
        Ok(())
    }

    fn remap(&mut self, size: usize) -> io::Result<()> {
        // The file may end before a rounded size; then so does the mapping.
        let size = size.min(usize::try_from(fstat(&self.memory)?.st_size).unwrap_or(usize::MAX));
        // SAFETY: the old mapping is ours, of the size we know, and nobody holds a reference into it but through
        // `&self`; the file is at least `size` long, and never becomes shorter.
        let start = unsafe { mremap(self.start.as_ptr().cast(), self.mapped, size, MremapFlags::MAYMOVE)? };
        self.start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.mapped = size;
        Ok(())
    }

    /// Unmaps what a large job needed.
    pub(crate) fn unmap_excess(&mut self) {
        if self.mapped > KEPT {
            let _ = self.remap(KEPT);
        }
    }

    /// Unmaps what a large job needed, and gives its pages back to the system for both sides.
    ///
    /// `is_suspect`: the other side may have needed more than is mapped here.
    pub(crate) fn give_back_excess(&mut self, is_suspect: bool) {
        if self.mapped > KEPT || is_suspect {
            self.unmap_excess();
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
        let size = needed.checked_add(DATA).ok_or(io::ErrorKind::OutOfMemory)?;
        if size > self.mapped {
            let size = round_up(size);
            if fstat(&self.memory)?.st_size.unsigned_abs() < size as u64 {
                ftruncate(&self.memory, size as u64)?;
            }
            self.remap(size)?;
        }
        // SAFETY: within the mapping.
        Ok((unsafe { self.start.as_ptr().add(DATA) }, self.capacity()))
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        if self.is_made_here && is_forked() {
            return; // whatever is in that place now is somebody else's
        }
        // SAFETY: the mapping is ours, of this size, and nothing refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.mapped) };
    }
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
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        futex::wait(word, futex::Flags::empty(), seen, left.as_ref()) != Err(Errno::TIMEDOUT)
    }

    fn wake(&self, word: &AtomicU32) {
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

/// Makes a bell that has rung silent, where it would ring for ever.
///
/// Never blocks: that the descriptor does not block is noted where the worker could change it, and it could have made
/// the bell silent itself meanwhile.
pub(crate) fn silence(bell: &Descriptor) {
    let mut count = [0; 8];
    // Kernels before 5.8 cannot be asked so.
    if preadv2(bell, &mut [IoSliceMut::new(&mut count)], u64::MAX, ReadWriteFlags::NOWAIT) == Err(Errno::OPNOTSUPP) {
        let _ = rustix::io::read(bell, &mut count);
    }
}

/// A bell: what the worker rings when the parent sleeps.
pub(crate) fn bell() -> io::Result<(Descriptor, Descriptor)> {
    let [ours, theirs] = Descriptor::open(|| {
        let ours = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let theirs = rustix::io::fcntl_dupfd_cloexec(&ours, 3)?;
        Ok([ours, theirs])
    })?;
    Ok((ours, theirs))
}

#[cfg(test)]
mod tests;

//! Memory that nobody can change any more: a memfd sealed against writing and resizing, mapped read-only.
#![allow(unsafe_code)]

use super::descriptors::{Descriptor, close_elsewhere, stop_books};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

/// A read-only view of sealed memory.
#[derive(Debug)]
pub(crate) struct Sealed {
    memory: Descriptor,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is never written to, by anybody, and the mapping belongs to this value alone.
unsafe impl Send for Sealed {}
// SAFETY: as above: shared references only read.
unsafe impl Sync for Sealed {}

const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::SEAL);

impl Sealed {
    /// New memory of this length, all zeroes until `fill` has written to it, and sealed then.
    pub(crate) fn create(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know that it need not be executable.
        let [memory] = Descriptor::open(|| {
            let memory = memfd_create("offproc-bytes", flags | MemfdFlags::NOEXEC_SEAL)
                .or_else(|_| memfd_create("offproc-bytes", flags))?;
            Ok([memory])
        })?;
        ftruncate(&memory, length as u64)?;
        if length > 0 {
            let writable = Mapping::writable(&memory, length)?;
            // SAFETY: a fresh mapping of this length, which nobody else knows of; zeroes are valid bytes.
            fill(unsafe { std::slice::from_raw_parts_mut(writable.0.as_ptr(), length) });
        }
        // Only possible once no writable mapping is left.
        fcntl_add_seals(&memory, SEALS)?;
        Self::map(memory, length)
    }

    /// Memory from another process, which is not trusted: it must be sealed, and as long as it is said to be.
    pub(crate) fn open(memory: OwnedFd, length: usize) -> io::Result<Self> {
        match Self::check(&memory, length) {
            Ok(()) => Self::map(memory.into(), length),
            Err(e) => {
                close_elsewhere(memory);
                Err(e)
            }
        }
    }

    fn check(memory: &OwnedFd, length: usize) -> io::Result<()> {
        let refused = |reason| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if !fcntl_get_seals(memory)?.contains(SealFlags::WRITE | SealFlags::SHRINK) {
            return refused("the memory is not sealed");
        }
        if fstat(memory)?.st_size.unsigned_abs() < length as u64 {
            return refused("the memory is shorter than it is said to be");
        }
        Ok(())
    }

    fn map(memory: Descriptor, length: usize) -> io::Result<Self> {
        let start = if length == 0 {
            NonNull::dangling()
        } else {
            let mapping = Mapping::new(&memory, length, ProtFlags::READ)?;
            let start = mapping.0;
            std::mem::forget(mapping);
            start
        };
        Ok(Self { memory, start, length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as `self` lives, or empty; sealed against writing, so that the bytes do not
        // change, and against shrinking, so that they stay there.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.memory
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        if self.length > 0 {
            drop(Mapping(self.start, self.length));
        }
    }
}

/// A mapping that is unmapped when it is dropped.
struct Mapping(NonNull<u8>, usize);

impl Mapping {
    /// One that no fork of this process has: as long as it did, the memory could not be sealed.
    fn writable(memory: &impl AsFd, length: usize) -> io::Result<Self> {
        // Forks wait for the books, too.
        let _books = stop_books();
        let mapping = Self::new(memory, length, ProtFlags::READ | ProtFlags::WRITE)?;
        // SAFETY: the range is exactly our mapping; the advice changes nothing for this process.
        unsafe { madvise(mapping.0.as_ptr().cast(), length, Advice::LinuxDontFork) }?;
        Ok(mapping)
    }

    fn new(memory: &impl AsFd, length: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, memory, 0)? };
        NonNull::new(start.cast()).map(|start| Self(start, length)).ok_or(io::ErrorKind::OutOfMemory.into())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, of this length, and nothing refers to it any more.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), self.1) };
    }
}

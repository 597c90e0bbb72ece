//! Memory that no process can change any more: a memfd sealed against writing and resizing, mapped read-only. If the
//! system has no such file, private memory, which travels as a copy.
#![allow(unsafe_code)]

use super::discard::discard;
use super::fork_registry::{ForkRegistry, TrackedFd};
use super::shared_memory::Mapping;
use super::{fork, memory_file};
use rustix::fs::{SealFlags, fcntl_add_seals, fstat};
use rustix::mm::{Advice, MprotectFlags, ProtFlags, madvise, mprotect};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A read-only view of sealed memory.
#[derive(Debug)]
pub(crate) struct Sealed {
    memory: Memory,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    /// Any process that has the descriptor can map it.
    File(TrackedFd, Mapping),
    /// A mapping of this process alone.
    Private(Mapping),
    /// Neither a descriptor nor a mapping, of which a process has few.
    Heap(Box<[CacheLine]>),
}

/// Aligns memory of the heap as a buffer's memory has to be.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct CacheLine(#[expect(dead_code, reason = "it is read as plain bytes")] [u8; LINE]);

const LINE: usize = 64;

/// From how many bytes on a copy of what another process has sent has a file of its own.
const LEAST_RECEIVED: usize = 4096;

/// From how many bytes on memory is asked to be of huge pages; one that is not full costs up to so much more.
const HUGE_PAGE: usize = 2 << 20;

const SIZE_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
const ALL_SEALS: SealFlags = SIZE_SEALS.union(SealFlags::WRITE).union(SealFlags::SEAL);

impl Sealed {
    /// New memory of this length, all zeroes until `fill` has written to it, and sealed then.
    pub(crate) fn create(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        if length == 0 {
            return Ok(Self::on_heap(0, fill));
        }
        fork::lock_registry_in_forks();
        let Ok([memory]) = memory_file::create("offproc-bytes", length as u64, SIZE_SEALS, |file| Ok([file])) else {
            return Self::private(length, fill);
        };
        let mut mapping = writable(&memory, length)?;
        fill(bytes_mut(&mut mapping));
        if !mapping.is_here() {
            // Neither is the descriptor.
            return Err(io::Error::other("the memory belongs to the process of which this one is a fork"));
        }
        drop(mapping);
        // Only possible once no writable mapping is left.
        fcntl_add_seals(&memory, ALL_SEALS)?;
        Self::map(memory, length)
    }

    /// The same if the system has no such file, or no descriptor, or does not allow one of this size.
    fn private(length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        let mut mapping = Mapping::private(length)?;
        fill(bytes_mut(&mut mapping));
        // SAFETY: the range is exactly our mapping, which is only read from here on. This only guards against mistakes.
        let _ = unsafe { mprotect(mapping.start().as_ptr().cast(), length, MprotectFlags::READ) };
        Ok(Self { memory: Memory::Private(mapping), length })
    }

    /// The same on the heap.
    fn on_heap(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut lines = vec![CacheLine([0; LINE]); length.div_ceil(LINE)].into_boxed_slice();
        // SAFETY: within the lines, whose bytes are all initialised, and to which there is no other reference.
        fill(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), length) });
        Self { memory: Memory::Heap(lines), length }
    }

    /// A copy of bytes that another process has sent.
    ///
    /// That process says how many such copies there are: small ones, which a message has room for in great numbers,
    /// must not use up this process' descriptors and mappings.
    pub(crate) fn copy_of_received(bytes: &[u8]) -> io::Result<Self> {
        let fill = |memory: &mut [u8]| memory.copy_from_slice(bytes);
        if bytes.len() < LEAST_RECEIVED {
            Ok(Self::on_heap(bytes.len(), fill))
        } else {
            Self::create(bytes.len(), fill)
        }
    }

    /// Memory from another process, which is not trusted: it must be sealed, and as long as that process says.
    pub(crate) fn open(memory: OwnedFd, length: usize) -> io::Result<Self> {
        match Self::check(&memory, length) {
            Ok(()) => Self::map(memory.into(), length),
            Err(e) => {
                discard([memory]);
                Err(e)
            }
        }
    }

    fn check(memory: &OwnedFd, length: usize) -> io::Result<()> {
        memory_file::must_have(memory, SealFlags::WRITE | SealFlags::SHRINK)?;
        if fstat(memory)?.st_size.unsigned_abs() < length as u64 {
            let reason = "the memory is shorter than it is said to be";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(())
    }

    fn map(memory: TrackedFd, length: usize) -> io::Result<Self> {
        let memory = match length {
            0 => Memory::Heap(Box::default()),
            _ => {
                let mapping = Mapping::of_file(&memory, length, ProtFlags::READ)?;
                Memory::File(memory, mapping)
            }
        };
        Ok(Self { memory, length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let start = match &self.memory {
            Memory::File(_, mapping) | Memory::Private(mapping) => mapping.start().as_ptr().cast_const(),
            Memory::Heap(lines) => lines.as_ptr().cast(),
        };
        // SAFETY: `length` bytes of memory that lives as long as `self`; sealed against writing (or no other process
        // has it), so that the bytes do not change, and against shrinking, so that they stay there.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }

    /// The descriptor by which another process can map it; `None` if it can only be copied.
    pub(crate) fn descriptor(&self) -> Option<&TrackedFd> {
        match &self.memory {
            Memory::File(descriptor, _) => Some(descriptor),
            Memory::Private(_) | Memory::Heap(_) => None,
        }
    }
}

/// A mapping that no fork of this process inherits: while a fork has a writable one, the memory cannot be sealed.
fn writable(memory: &impl AsFd, length: usize) -> io::Result<Mapping> {
    // Forks wait for the registry, too.
    let _registry = ForkRegistry::lock();
    let mapping = Mapping::of_file(memory, length, ProtFlags::READ | ProtFlags::WRITE)?.leave_out_of_forks();
    if length >= HUGE_PAGE {
        // Each process that maps the memory has it in these pages then. Few systems have any for such memory.
        // SAFETY: the range is exactly our mapping; the advice changes nothing for this process.
        let _ = unsafe { madvise(mapping.start().as_ptr().cast(), length, Advice::LinuxHugepage) };
    }
    Ok(mapping)
}

/// What is in a fresh mapping that is writable, and that no other process has.
fn bytes_mut(mapping: &mut Mapping) -> &mut [u8] {
    // SAFETY: a fresh mapping of this length, to which there is no other reference; zeroes are valid bytes.
    unsafe { std::slice::from_raw_parts_mut(mapping.start().as_ptr(), mapping.length()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_copies_of_what_was_received_use_no_descriptor_and_are_aligned() {
        for length in [0, 1, 63, 64, 65, LEAST_RECEIVED - 1] {
            let bytes = vec![7; length];
            let sealed = Sealed::copy_of_received(&bytes).unwrap();
            assert!(sealed.descriptor().is_none());
            assert_eq!(sealed.bytes(), bytes);
            assert_eq!(sealed.bytes().as_ptr().align_offset(64), 0);
        }
        assert!(Sealed::copy_of_received(&[7; LEAST_RECEIVED]).unwrap().descriptor().is_some());
    }

    #[test]
    fn an_empty_buffer_uses_no_descriptor() {
        assert!(Sealed::create(0, |_| ()).unwrap().descriptor().is_none());
    }
}

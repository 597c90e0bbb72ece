//! The raw limit of shared memory: a word each way between two processes, futexes, and spinning before them.

use super::role::{Player, Role};
use rustix::fs::MemfdFlags;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::thread::futex;
use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A word that one side writes and the other waits for.
#[repr(C, align(64))]
struct Line {
    word: AtomicU32,
    /// Set by the side that waits, before it sleeps.
    sleeps: AtomicU32,
}

impl Line {
    fn write(&self, word: u32) {
        self.word.store(word, SeqCst);
        if self.sleeps.load(SeqCst) != 0 {
            // It fails for an address that is not mapped; this one is.
            let _ = futex::wake(&self.word, futex::Flags::empty(), 1);
        }
    }

    /// Waits for `word`, where `word - 1` stood before.
    fn wait_for(&self, word: u32, spin: Duration) {
        if self.spin_for(word, spin) {
            return;
        }
        self.sleeps.store(1, SeqCst);
        while self.word.load(SeqCst) != word {
            // Whether woken or changed meanwhile: the loop looks.
            let _ = futex::wait(&self.word, futex::Flags::empty(), word.wrapping_sub(1), None);
        }
        self.sleeps.store(0, SeqCst);
    }

    /// Looks for a while. Giving way from time to time lets a process that wants this CPU have it.
    fn spin_for(&self, word: u32, spin: Duration) -> bool {
        if spin.is_zero() {
            return false;
        }
        let begin = Instant::now();
        loop {
            for _ in 0..64 {
                if self.word.load(SeqCst) == word {
                    return true;
                }
                std::hint::spin_loop();
            }
            if begin.elapsed() > spin {
                return false;
            }
            rustix::thread::sched_yield();
        }
    }
}

/// Memory that two processes see, for as long as this lives.
#[derive(Debug)]
struct Mapping(NonNull<[Line; 2]>);

// SAFETY: what it points to is only ever used by shared reference, and is all atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: impl AsFd) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            rustix::mm::mmap(std::ptr::null_mut(), size_of::<[Line; 2]>(), access, MapFlags::SHARED, file, 0)?
        };
        NonNull::new(start.cast()).map(Self).ok_or_else(|| io::Error::other("mapped at address zero"))
    }

    fn lines(&self) -> &[Line; 2] {
        // SAFETY: the mapping is as large as this, page-aligned, zeroed by the kernel, lives as long as `self`, and
        // holds only atomics, which both processes may write at any time.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly this, and no borrow of it is left.
        let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), size_of::<[Line; 2]>()) };
    }
}

/// A process that answers in shared memory.
#[derive(Debug)]
pub(crate) struct MemoryPeer {
    memory: Mapping,
    look: Duration,
    count: AtomicU32,
    _player: Player,
}

impl MemoryPeer {
    /// The process spins for a while before it sleeps, and the caller looks for a while before it does.
    pub(crate) fn start(spin: Duration, look: Duration) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("bench", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, size_of::<[Line; 2]>() as u64)?;
        let memory = Mapping::new(&file)?;
        let player = Player::start(Role::Shared { spin }, Some(file))?;
        Ok(Self { memory, look, count: AtomicU32::new(0), _player: player })
    }

    /// A word there and back. One caller at a time.
    pub(crate) fn call(&self) {
        let count = self.count.load(SeqCst).wrapping_add(1);
        self.count.store(count, SeqCst);
        let [request, reply] = self.memory.lines();
        request.write(count);
        reply.wait_for(count, self.look);
    }
}

pub(super) fn answer(spin: Duration) -> io::Result<()> {
    let memory = Mapping::new(io::stdin())?;
    let [request, reply] = memory.lines();
    let mut count = 0_u32;
    loop {
        count = count.wrapping_add(1);
        request.wait_for(count, spin);
        reply.write(count);
    }
}

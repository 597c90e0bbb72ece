//! What really ran: memory that the test and all its workers map, with a line for each call of a round.

use offproc_tests::scratch::Scratch;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::fs::File;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the file of the ledger to workers that do not inherit the mapping.
pub(crate) const PATH: &str = "OFFPROC_CHAOS_LEDGER";

/// How many calls a round may have.
pub(crate) const LINES: usize = 2000;

/// What one call's job has done.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// How often it began.
    pub(crate) begun: AtomicU32,
    /// How often it came to its end.
    pub(crate) done: AtomicU32,
    /// The process it began in last.
    pub(crate) pid: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Ledger(NonNull<Line>);

// SAFETY: the mapping is never unmapped, and is reached through atomics only.
unsafe impl Send for Ledger {}
// SAFETY: the same.
unsafe impl Sync for Ledger {}

static LEDGER: OnceLock<Ledger> = OnceLock::new();

impl Ledger {
    /// The ledger of this process and its relatives.
    pub(crate) fn get() -> &'static Self {
        LEDGER.get_or_init(|| {
            let path = std::env::var_os(PATH).expect("the test has set its path");
            Self::map(&File::options().read(true).write(true).open(path).expect("the ledger"))
        })
    }

    /// Makes a new one for this process and its forks; the path for others.
    pub(crate) fn create(scratch: &Scratch) -> String {
        let path = scratch.path("ledger");
        let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
        file.set_len((LINES * size_of::<Line>()) as u64).expect("room for the ledger");
        LEDGER.set(Self::map(&file)).expect("one ledger a process");
        path
    }

    fn map(file: &File) -> Self {
        let (size, protection) = (LINES * size_of::<Line>(), ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), size, protection, MapFlags::SHARED, file, 0) };
        Self(NonNull::new(start.expect("a mapping").cast()).expect("not at zero"))
    }

    fn lines(&self) -> &[Line] {
        // SAFETY: so many lines are mapped, for good, and all zeroes is a valid line.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), LINES) }
    }

    /// The line of a call.
    pub(crate) fn line(&self, id: u32) -> &Line {
        &self.lines()[id as usize]
    }

    /// For the next round.
    pub(crate) fn clear(&self) {
        for Line { begun, done, pid } in self.lines() {
            for word in [begun, done, pid] {
                word.store(0, Ordering::SeqCst);
            }
        }
    }
}

/// The job of this call begins.
pub(crate) fn begin(id: u32) {
    let line = Ledger::get().line(id);
    line.pid.store(std::process::id(), Ordering::SeqCst);
    line.begun.fetch_add(1, Ordering::SeqCst);
}

/// The job of this call has nothing left to do but to return.
pub(crate) fn done(id: u32) {
    Ledger::get().line(id).done.fetch_add(1, Ordering::SeqCst);
}

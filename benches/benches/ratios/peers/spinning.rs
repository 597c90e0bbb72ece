//! Two threads that spin for each other and copy bytes: the least that a call with bytes there and back takes.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The other thread. It gets bytes in memory that both use, copies them out, as a worker has to, and copies its result
/// in.
#[derive(Debug)]
pub(crate) struct SpinningPeer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    step: AtomicU32,
    /// Never locked by both at a time, as they take turns.
    memory: Mutex<Vec<u8>>,
}

/// The other thread sleeps, so that it takes no CPU from what is measured beside.
const ASLEEP: u32 = 0;
/// The caller has woken it.
const WOKEN: u32 = 1;
/// It spins.
const AWAKE: u32 = 2;
/// The caller has put bytes into the memory.
const THERE: u32 = 3;
/// The other thread has put its result there.
const BACK: u32 = 4;
const END: u32 = 5;

impl SpinningPeer {
    pub(crate) fn start(size: usize) -> Self {
        let shared = Arc::new(Shared { step: AtomicU32::new(ASLEEP), memory: Mutex::new(vec![0; size]) });
        let theirs = Arc::clone(&shared);
        Self { shared, thread: Some(std::thread::spawn(move || theirs.serve())) }
    }

    /// How long it takes for these bytes to be there and back, in a buffer of their own on each side.
    pub(crate) fn echo(&self, bytes: &[u8]) -> Duration {
        self.shared.step.store(WOKEN, SeqCst);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        self.shared.wait_for(AWAKE);
        let begin = Instant::now();
        self.shared.memory().copy_from_slice(bytes);
        self.shared.step.store(THERE, SeqCst);
        self.shared.wait_for(BACK);
        drop(black_box(self.shared.memory().clone()));
        let took = begin.elapsed();
        self.shared.step.store(ASLEEP, SeqCst);
        took
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Vec<u8>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        loop {
            match self.step.load(SeqCst) {
                END => return,
                WOKEN => {
                    self.step.store(AWAKE, SeqCst);
                    self.wait_for(THERE);
                    let mut memory = self.memory();
                    let argument = black_box(memory.clone());
                    memory.copy_from_slice(&argument);
                    drop(memory);
                    self.step.store(BACK, SeqCst);
                }
                _ => std::thread::park(),
            }
        }
    }

    fn wait_for(&self, step: u32) {
        while self.step.load(SeqCst) != step {
            spin_loop();
        }
    }
}

impl Drop for SpinningPeer {
    fn drop(&mut self) {
        self.shared.step.store(END, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

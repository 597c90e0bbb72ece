//! Ends a run that makes no progress, and says where it stopped.

use offproc_tests::process::Family;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static STEPS: AtomicU64 = AtomicU64::new(0);

/// So many seconds without any call's end, counted in naps, so that a stop of this whole process does not count.
const PATIENCE: u32 = 180;

/// A call has ended.
pub(crate) fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Watches from now on, until the process ends.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        let (mut seen, mut naps) = (0, 0);
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let steps = STEPS.load(Ordering::Relaxed);
            naps = if steps == seen { naps + 1 } else { 0 };
            seen = steps;
            if naps == PATIENCE {
                eprintln!("nothing has ended for {PATIENCE} s, after {steps} calls; {:#?}", Family::now());
                std::process::abort();
            }
        }
    });
}

/// Waits until something is so, with the same patience.
pub(crate) fn until(mut is_so: impl FnMut() -> bool, complaint: impl FnOnce() -> String) {
    let nap = Duration::from_millis(2);
    for _ in 0..PATIENCE * 500 {
        if is_so() {
            return;
        }
        step();
        std::thread::sleep(nap);
    }
    panic!("{}", complaint());
}

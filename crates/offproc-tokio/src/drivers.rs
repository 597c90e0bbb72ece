//! Whether a runtime has an I/O driver. tokio has no function for that, and panics where a driver is needed and
//! missing.

use crate::number_of;
use crate::watch::Watch;
use offproc_core::PollSource;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;

/// Known answers, by the numbers of runtimes.
static KNOWN: Mutex<BTreeMap<u64, bool>> = Mutex::new(BTreeMap::new());

/// The most that are kept: a program may have a runtime for each of its tests.
const MOST: usize = 1024;

/// Watches a descriptor with a runtime.
///
/// # Errors
///
/// The runtime has no I/O driver, or has ended, or the system cannot watch one more descriptor.
pub(crate) fn watch(handle: &Handle, source: PollSource) -> io::Result<Watch> {
    let runtime = number_of(handle);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let has_driver = known().get(&runtime).copied();
    let watched = match has_driver {
        Some(true) => attempt(handle, source),
        Some(false) => None,
        None if is_possible() => attempt(handle, source),
        None => None,
    };
    if has_driver != Some(watched.is_some()) {
        let mut known = known();
        if known.len() == MOST {
            known.clear();
        }
        known.insert(runtime, watched.is_some());
    }
    let missing = || Err(io::Error::new(io::ErrorKind::Unsupported, "this tokio runtime has no I/O driver"));
    watched.unwrap_or_else(missing)
}

/// `None` where there is no driver.
fn attempt(handle: &Handle, source: PollSource) -> Option<io::Result<Watch>> {
    let _entered = handle.enter();
    catch_unwind(AssertUnwindSafe(|| Watch::new(source))).ok()
}

/// False where the process has no `epoll` descriptor but that of offproc's own reactor, so no runtime in it can have an
/// I/O driver. In most programs this detects a runtime without a driver, with no panic that their hook would report.
fn is_possible() -> bool {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return true };
    let epolls = descriptors
        .flatten()
        .filter(|entry| {
            std::fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
        })
        .count();
    // Offproc's own reactor has one.
    epolls > 1
}

//! Whether the kernel's out-of-memory killer has killed a process. Who sent a SIGKILL is nowhere to be read; but the
//! kernel counts its own before it sends them, for each memory control group (v2: `memory.events`, v1:
//! `memory.oom_control`) and for the whole system (`/proc/vmstat`).
//!
//! Where the program's own group has not counted one since the worker was started, it was somebody else. Where it has
//! counted more than were told of workers since then, it was the kernel. Of the system's count only the first holds:
//! the one more may have been any process.

use super::descriptors::Descriptor;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// How things stood when a worker was started.
#[derive(Debug)]
pub(crate) struct Before {
    counter: Arc<Counter>,
    counted: u64,
    told: u64,
}

/// The kernel's counter, open as long as there are workers.
#[derive(Debug)]
struct Counter {
    file: Descriptor,
    is_of_group: bool,
    /// How many of its kills were told of workers.
    told: Mutex<u64>,
}

impl Before {
    /// To be made when a worker is started.
    pub(crate) fn now() -> Option<Self> {
        static CURRENT: Mutex<Weak<Counter>> = Mutex::new(Weak::new());
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = match current.upgrade() {
            Some(counter) => counter,
            None => {
                let opened = Arc::new(Counter::open()?);
                *current = Arc::downgrade(&opened);
                opened
            }
        };
        drop(current);
        Self::of(&counter)
    }

    fn of(counter: &Arc<Counter>) -> Option<Self> {
        let told = *counter.told.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { counter: Arc::clone(counter), counted: counter.count()?, told })
    }

    /// To be asked once for each worker that has died of a SIGKILL which was not ours; `None` where it cannot be told.
    pub(crate) fn has_killed_since(&self) -> Option<bool> {
        let mut told = self.counter.told.lock().unwrap_or_else(PoisonError::into_inner);
        let more = self.counter.count()?.saturating_sub(self.counted);
        if more <= *told - self.told {
            return Some(false);
        }
        if !self.counter.is_of_group {
            return None;
        }
        *told += 1;
        Some(true)
    }
}

impl Counter {
    fn open() -> Option<Self> {
        static PLACE: OnceLock<(PathBuf, bool)> = OnceLock::new();
        let (path, is_of_group) = PLACE.get_or_init(|| {
            let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
            let own = groups.lines().filter_map(events_of).find(|path| Self::of(path, true).is_some());
            own.map_or_else(|| ("/proc/vmstat".into(), false), |own| (own, true))
        });
        Self::of(path, *is_of_group)
    }

    /// `None` unless there is a count in the file.
    fn of(path: &Path, is_of_group: bool) -> Option<Self> {
        let [file] = Descriptor::open(|| Ok([File::open(path)?.into()])).ok()?;
        let counter = Self { file, is_of_group, told: Mutex::new(0) };
        counter.count().map(|_| counter)
    }

    fn count(&self) -> Option<u64> {
        let mut text = [0; 16 << 10];
        let length = rustix::io::pread(&self.file, &mut text[..], 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }
}

/// The file with the count of a group, from its line in `/proc/self/cgroup`.
fn events_of(line: &str) -> Option<PathBuf> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.events"),
        v1 if v1.split(',').any(|controller| controller == "memory") => ("/sys/fs/cgroup/memory", "memory.oom_control"),
        _ => return None,
    };
    Some(Path::new(root).join(path.trim_start_matches('/')).join(file))
}

#[cfg(test)]
mod tests;

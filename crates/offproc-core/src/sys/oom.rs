//! Whether the kernel's out-of-memory killer has killed a process. The kernel does not report the sender of a SIGKILL;
//! but it counts its own before it sends them, for each memory control group (v2: `memory.events`, v1:
//! `memory.oom_control`) and for the whole system (`/proc/vmstat`).
//!
//! If the program's own group has counted none since the worker was started, another process sent it. If it has counted
//! more than were reported for workers since then, the kernel did. Of the system's count only the first holds: the one
//! more may have been any process.

use super::fork_registry::TrackedFd;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// The count when a worker was started.
#[derive(Debug)]
pub(crate) struct Before {
    counter: Arc<Counter>,
    counted: u64,
    reported: u64,
}

/// The kernel's counter, open as long as there are workers.
#[derive(Debug)]
struct Counter {
    file: TrackedFd,
    is_of_group: bool,
    /// How many of its kills were reported as a worker's end.
    reported: Mutex<u64>,
}

impl Before {
    /// Call this when a worker is started.
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
        let reported = *counter.reported.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { counter: Arc::clone(counter), counted: counter.count()?, reported })
    }

    /// Call this once for each worker that has died of a SIGKILL which was not ours; `None` if the counts do not show
    /// it.
    pub(crate) fn has_killed_since(&self) -> Option<bool> {
        let mut reported = self.counter.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let more = self.counter.count()?.saturating_sub(self.counted);
        if more <= *reported - self.reported {
            return Some(false);
        }
        if !self.counter.is_of_group {
            return None;
        }
        *reported += 1;
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
        let [file] = TrackedFd::open(|| Ok([File::open(path)?.into()])).ok()?;
        let counter = Self { file, is_of_group, reported: Mutex::new(0) };
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

/// Makes the kernel's OOM killer prefer this process to the one that started it, as if it used so many thousandths more
/// of all memory. Without `/proc` this has no effect.
pub(crate) fn prefer(thousandths: u16) {
    const SCORE: &str = "/proc/self/oom_score_adj";
    const MOST: i32 = 1000;
    if thousandths == 0 {
        return;
    }
    let inherited = read_to_string(SCORE).ok().and_then(|score| score.trim().parse::<i32>().ok());
    if let Some(inherited) = inherited {
        let _ = std::fs::write(SCORE, (inherited + i32::from(thousandths)).min(MOST).to_string());
    }
}

#[cfg(test)]
mod tests;

//! The lifeline: it ends a worker when its parent ends.
//!
//! One end of a socket pair is the worker's, the other the parent's alone; the parent never sends anything on it. When
//! the parent ends, however it ends, the kernel closes its end. A thread of the worker waits for that, and sends its
//! own process SIGKILL: that reaches an endless loop, and a process with every signal blocked. It does not reach a
//! worker that is stopped before it is continued, nor one whose job has ended that thread.
//!
//! It waits for the end of the parent's process, too, as another process may have a copy of the parent's end: by a
//! kqueue where there are such, and otherwise it looks at its parent from time to time.

pub(crate) use super::lifeline_ends::{Cutter, Hold, ParentEnd, Starter, WorkerEnd, pair};

use super::fd_numbers::duplicate_high;
use super::flags;
use super::fork::exit_at_once;
use super::gifts::Gift;
use super::process_end::EndQueue;
use super::readiness::{self, Interest};
use super::{faults, fork, pipes, thread};
use crate::error::about;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, kill_process_group};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The stack of the thread that waits.
const STACK: usize = 64 << 10;

/// How often it looks whether its parent still is its parent, unless a descriptor shows the end of that.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Open for the life of the process: closing it would cut the line.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The process that is to be the parent, if that is watched, too, or else 0.
static PARENT: AtomicI32 = AtomicI32::new(0);

/// Whether a descriptor shows the end of that process.
static SHOWS_PARENT: AtomicBool = AtomicBool::new(false);

static COVERS_GROUP: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Held {
    // `None` before the hello.
    line: Option<OwnedFd>,
    // `None` in a process that must have one thread.
    watcher: Option<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    thread: JoinHandle<()>,
    /// Its closing ends the thread.
    leash: OwnedFd,
    /// Shows the end of the parent, where there are such descriptors.
    parent: Option<Arc<EndQueue>>,
}

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread: from here on the end of the parent ends this process. In a fork, this also closes the lifeline
/// that it has inherited from the process that forked it. `gifts`: what came with the hello.
pub(crate) fn hold(gifts: &mut impl Iterator<Item = Gift>) -> io::Result<Hold> {
    let Some(line) = gifts.next() else { return Ok(Hold::Missing) };
    let line = duplicate_high(line).map_err(|e| about("it could not be moved to a high descriptor", e))?;
    end_threads();
    PARENT.store(0, Ordering::Relaxed);
    SHOWS_PARENT.store(false, Ordering::Relaxed);
    COVERS_GROUP.store(false, Ordering::Relaxed);
    if readiness::wait_for(&line, Interest::Readable, Duration::ZERO)? {
        return Ok(Hold::Cut);
    }
    let watcher = Watcher::start(Some(line.as_fd())).map_err(|e| about("the thread that waits for its end", e))?;
    *held() = Some(Held { line: Some(line), watcher: Some(watcher) });
    Ok(Hold::Held)
}

impl Watcher {
    fn start(line: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let line = line.map(duplicate_high).transpose()?;
        let (theirs, leash) = pipes::pipe()?;
        let (theirs, leash) = (duplicate_high(theirs)?, duplicate_high(leash)?);
        let parent = EndQueue::open().ok().map(Arc::new);
        let its = parent.clone();
        let work = move || watch(line.as_ref(), its.as_deref(), &theirs);
        let thread = thread::start("offproc-line", Some(STACK), work)?;
        Ok(Self { thread, leash, parent })
    }

    /// Ends the thread; the line stays open.
    fn stop(self) {
        drop(self.leash);
        let _ = self.thread.join();
        // The system may count a thread for a moment after it could be joined.
        let deadline = Instant::now() + Duration::from_millis(100);
        while fork::count_threads().is_some_and(|threads| threads > 1) && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

/// Waits for the end of the line and of the parent, or of the leash, with which it returns.
fn watch(line: Option<&OwnedFd>, parent: Option<&EndQueue>, leash: &OwnedFd) {
    loop {
        // The parent shuts its end down, or the kernel closes it: readable, and hung up.
        let mut watched = vec![PollFd::new(leash, PollFlags::IN)];
        watched.extend(line.map(|line| PollFd::new(line, PollFlags::IN)));
        watched.extend(parent.map(|parent| PollFd::new(parent, PollFlags::IN)));
        let shows_parent = SHOWS_PARENT.load(Ordering::Relaxed);
        let polled = poll(&mut watched, if shows_parent { None } else { Some(&LOOK) });
        if polled.is_err_and(|e| e != Errno::INTR) {
            // A limit of no descriptors, say.
            std::thread::sleep(Duration::from_secs(1));
        }
        let mut has_news = watched.iter().map(|watched| polled.is_ok() && !watched.revents().is_empty());
        let is_released = has_news.next().unwrap_or(false);
        // Where a descriptor shows its end, the parent may change without one: macOS makes a debugger the parent.
        if has_news.any(|has_news| has_news) || !shows_parent && has_lost_parent() {
            end_this_process();
        }
        if is_released {
            return;
        }
    }
}

fn has_lost_parent() -> bool {
    let parent = PARENT.load(Ordering::Relaxed);
    parent != 0 && getppid().is_none_or(|now| now.as_raw_nonzero().get() != parent)
}

/// `kill(SIGKILL)`: that it was killed is what is to be seen of it, and what it has locked does not matter.
fn end_this_process() -> ! {
    let _ = match COVERS_GROUP.load(Ordering::Relaxed) {
        true => kill_process_group(getpid(), Signal::KILL),
        false => kill_process(getpid(), Signal::KILL),
    };
    // A sandbox forbids it.
    exit_at_once(1)
}

/// A fork of this process that becomes a worker of it closes the lifeline that this process holds itself. The thread
/// is not in it.
pub(crate) fn release() {
    if let Some(Held { line, watcher }) = held().take() {
        drop(line);
        // What std knows of the thread is not this process's, nor does it have the queue.
        watcher.into_iter().for_each(|watcher| std::mem::forget((watcher.thread, watcher.parent)));
    }
}

/// This process is to have one thread from here on: it sees the end of its parent by itself.
pub(crate) fn end_threads() {
    let watcher = held().as_mut().and_then(|held| held.watcher.take());
    watcher.into_iter().for_each(Watcher::stop);
}

/// The end of this process's parent ends it even if another process has a copy of the parent's end.
pub(crate) fn die_with(Starter(parent): Starter) {
    let Some(parent) = parent else { return };
    PARENT.store(parent.as_raw_nonzero().get(), Ordering::Relaxed);
    flags::end_with_parent();
    let shown = held().as_ref().and_then(|held| Some(held.watcher.as_ref()?.parent.as_ref()?.add(parent)));
    SHOWS_PARENT.store(shown == Some(Ok(())), Ordering::Relaxed);
    // It has ended before that, or begins to: then its number is still its own, and no event comes.
    if getppid() != Some(parent) || shown == Some(Err(Errno::SRCH)) {
        exit_at_once(0);
    }
}

/// Until this process holds a lifeline, the end of the process that forked it, which has one thread, ends it too.
pub(crate) fn die_with_forker(forker: u32) {
    die_with(Starter(i32::try_from(forker).ok().and_then(Pid::from_raw)));
    // Without a thread, it ends when the program lets go of its connection.
    if let Ok(watcher) = Watcher::start(None) {
        *held() = Some(Held { line: None, watcher: Some(watcher) });
    }
}

/// From here on a fault that ends this process is reported on its lifeline.
pub(crate) fn report_faults() -> io::Result<()> {
    match held().as_ref().and_then(|held| held.line.as_ref()) {
        Some(line) => faults::report_on(line.as_fd()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// From here on the end of the parent ends the whole process group, which this process leads.
pub(crate) fn cover_group() -> io::Result<()> {
    COVERS_GROUP.store(true, Ordering::Relaxed);
    Ok(())
}

//! The lifeline: it ends a worker when its parent ends.
//!
//! One end of a socket pair is the worker's, the other the parent's alone; the parent never sends anything on it. When
//! the parent ends, however it ends, the kernel closes its end. A thread of the worker waits for that, and sends its
//! own process SIGKILL: that reaches an endless loop, and a process with every signal blocked. It does not reach a
//! worker that is stopped before it is continued, nor one whose job has ended that thread.

use super::child::{Child, ShowsEnd, Terms};
use super::fd_numbers::duplicate_high;
use super::flags;
use super::fork::exit_at_once;
use super::fork_registry::{TrackedGift, TrackedSocket, WeakSocket};
use super::gifts::Gift;
use super::process::ProcessHandle;
use super::readiness::{self, Interest};
use super::{faults, fork, pairs, pipes, thread};
use crate::error::about;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, kill_process_group};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The stack of the thread that waits.
const STACK: usize = 64 << 10;

/// How often it looks whether its parent still is its parent: another process may have a copy of the parent's end.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The parent's end. The worker ends when the last of its clones is dropped, in whatever way.
#[derive(Clone, Debug)]
pub(crate) struct ParentEnd(TrackedSocket);

/// The worker's end, which goes to it with its hello.
#[derive(Debug)]
pub(crate) struct WorkerEnd(TrackedSocket);

/// `socketpair`: a lifeline for a worker that is to be started.
pub(crate) fn pair() -> io::Result<(ParentEnd, WorkerEnd)> {
    let (ours, theirs) = pairs::pair()?;
    Ok((ParentEnd(ours), WorkerEnd(theirs)))
}

impl ParentEnd {
    /// The process that holds the other end, once it has started: it watches by itself.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "other mechanisms begin here")]
    pub(crate) fn bind(&self, _child: &Child<ProcessHandle>, terms: &Terms) -> io::Result<()> {
        // It limits itself, too.
        let _ = (terms.extent, &terms.limits);
        Ok(())
    }

    pub(crate) fn downgrade(&self) -> Cutter {
        Cutter(self.0.downgrade())
    }

    /// The fault that has ended the process, if that was to report it.
    pub(crate) fn fault(&self, pid: u32) -> Option<faults::Record> {
        faults::read(&self.0, pid)
    }
}

impl WorkerEnd {
    /// What goes along with the hello.
    pub(crate) fn into_gift(self) -> Option<TrackedGift> {
        Some(self.0)
    }
}

/// Cuts a lifeline, which is not kept open by this.
#[derive(Debug)]
pub(crate) struct Cutter(WeakSocket);

impl Cutter {
    /// `shutdown(SHUT_WR)`: ends the worker, whichever processes have a copy of the parent's end. Not both directions,
    /// or this end would be hung up before the worker has ended.
    pub(crate) fn cut(&self) {
        self.0.shut_down_sending();
    }
}

impl ShowsEnd for Cutter {
    /// No process has the worker's end, or this one has let go of its own.
    fn is_at_end(&self) -> bool {
        self.0.end().is_some() || self.0.is_closed()
    }
}

/// What came of holding a lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// The parent has ended, or has cut it.
    Cut,
    /// It did not come with the hello.
    Missing,
}

/// Open for the life of the process: closing it would cut the line.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The process that is to be the parent, if that is watched, too, or else 0.
static PARENT: AtomicI32 = AtomicI32::new(0);

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
        let (theirs, leash) = (theirs.into_owned()?, duplicate_high(leash)?);
        let thread = thread::start("offproc-line", Some(STACK), move || watch(line.as_ref(), &theirs))?;
        Ok(Self { thread, leash })
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

/// Waits for the end of the line, or of the leash, with which it returns.
fn watch(line: Option<&OwnedFd>, leash: &OwnedFd) {
    loop {
        // The parent shuts its end down, or the kernel closes it: readable, and hung up.
        let mut watched = vec![PollFd::new(leash, PollFlags::IN)];
        watched.extend(line.map(|line| PollFd::new(line, PollFlags::IN)));
        let is_polled = poll(&mut watched, Some(&LOOK)).is_ok();
        let has_news = |place: usize| watched.get(place).is_some_and(|watched| !watched.revents().is_empty());
        if is_polled && has_news(1) || has_lost_parent() {
            end_this_process();
        }
        if is_polled && has_news(0) {
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
        // What std knows of the thread is not this process's.
        watcher.into_iter().for_each(|watcher| std::mem::forget(watcher.thread));
    }
}

/// This process is to have one thread from here on: it sees the end of its parent by itself.
pub(crate) fn end_threads() {
    let watcher = held().as_mut().and_then(|held| held.watcher.take());
    watcher.into_iter().for_each(Watcher::stop);
}

/// The process that has started this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starter(Option<Pid>);

impl Starter {
    /// `getppid`: call this before the parent can have ended without notice.
    pub(crate) fn of_this_process() -> Self {
        Self(getppid())
    }
}

/// The end of this process's parent ends it even if another process has a copy of the parent's end.
pub(crate) fn die_with(Starter(parent): Starter) {
    let Some(parent) = parent else { return };
    PARENT.store(parent.as_raw_nonzero().get(), Ordering::Relaxed);
    flags::end_with_parent();
    if getppid() != Some(parent) {
        exit_at_once(0); // it ended before that
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

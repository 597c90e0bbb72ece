//! The end of a child, seen by a descriptor of its own that becomes readable: no thread waits.
//!
//! What makes it readable may come before the child can be reaped, so that alone counts as its end (`waitid` with
//! `WNOWAIT`, in `process/portable.rs`):
//!
//! - macOS: `proc_prepareexit` takes a process that begins to end off the list that `EVFILT_PROC` looks it up in (then
//!   registering is ESRCH, and no event comes), closes its files, which may take long, and only then `proc_exit` sends
//!   NOTE_EXIT and makes it a zombie, in this order (`bsd/kern/kern_exit.c`, `filt_procattach` in `kern_event.c`).
//! - FreeBSD: `exit1` sends NOTE_EXIT before it sets `PRS_ZOMBIE`; registering finds zombies as well, and shows a
//!   process that has begun to end (`P_WEXIT`) as readable at once (`sys/kern/kern_exit.c`, `filt_procattach` in
//!   `kern_event.c`).
//!
//! The event stays until it is taken from the queue (`EV_CLEAR`), and nothing here takes it: whatever waits sees it.

pub(super) use super::end_queue::EndQueue;

use super::awaited;
use super::readiness::{self, Interest};
use rustix::process::Pid;
use std::time::Duration;

/// How soon to look again while a child ends, or where there is no descriptor to wait with.
const MOMENT: Duration = Duration::from_millis(10);

/// Says when a child may have ended.
#[derive(Debug)]
pub(super) struct EndNotice(Option<EndQueue>);

impl EndNotice {
    /// Of a child that is not reaped, and whose number therefore is no other process's. Without a descriptor, or if it
    /// is ending already, this looks from time to time.
    pub(super) fn of(pid: Pid) -> Self {
        Self(EndQueue::open().and_then(|queue| Ok(queue.add(pid).map(|()| queue)?)).ok())
    }

    /// On the calling thread, up to this long. The caller has seen that it has not ended.
    pub(super) fn wait(&self, patience: Duration) {
        match &self.0 {
            // It has only begun to end.
            Some(queue) if is_readable_within(queue, Duration::ZERO) => std::thread::sleep(patience.min(MOMENT)),
            Some(queue) => drop(readiness::wait_for(queue, Interest::Readable, patience)),
            None => std::thread::sleep(patience.min(MOMENT)),
        }
    }

    /// The caller has seen that it has not ended.
    pub(super) async fn come(&self) {
        match &self.0 {
            Some(queue) if !is_readable_within(queue, Duration::ZERO) && awaited::readable(queue).await.is_ok() => {}
            _ => drop(async_io::Timer::after(MOMENT).await),
        }
    }
}

fn is_readable_within(queue: &EndQueue, patience: Duration) -> bool {
    readiness::wait_for(queue, Interest::Readable, patience).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};
    use std::process::{Child, Command};
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    fn sleeper() -> (Child, Pid) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid::from_child(&child);
        (child, pid)
    }

    fn is_reapable(pid: Pid) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), look).unwrap().is_some()
    }

    #[test]
    fn a_thread_and_two_tasks_see_the_same_end() {
        let (mut child, pid) = sleeper();
        let notice = Arc::new(EndNotice::of(pid));
        let waits: Vec<_> = (0..3)
            .map(|number| {
                let notice = Arc::clone(&notice);
                std::thread::spawn(move || {
                    while !is_reapable(pid) {
                        if number == 0 { notice.wait(LONG) } else { async_io::block_on(notice.come()) }
                    }
                })
            })
            .collect();
        child.kill().unwrap();
        waits.into_iter().for_each(|wait| wait.join().unwrap());
        assert!(is_readable_within(notice.0.as_ref().unwrap(), Duration::ZERO), "whatever comes later sees it, too");
        child.wait().unwrap();
    }

    #[test]
    fn no_wait_takes_longer_than_its_patience() {
        let (mut child, pid) = sleeper();
        EndNotice::of(pid).wait(Duration::from_millis(1));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_is_ending_when_it_is_added_is_looked_at_from_time_to_time() {
        let (mut child, pid) = sleeper();
        child.kill().unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        assert_eq!(EndQueue::open().unwrap().add(pid), Err(rustix::io::Errno::SRCH));
        let notice = EndNotice::of(pid);
        notice.wait(LONG);
        async_io::block_on(notice.come());
    }

    #[test]
    fn what_shows_its_end_before_it_can_be_reaped_is_looked_at_again() {
        let ((mut child, pid), (mut early, its)) = (sleeper(), sleeper());
        // As a system does that sends the event first: here the event is another process's.
        let notice = EndNotice::of(its);
        early.kill().unwrap();
        early.wait().unwrap();
        notice.wait(LONG);
        async_io::block_on(notice.come());
        assert!(!is_reapable(pid));
        child.kill().unwrap();
        while !is_reapable(pid) {
            notice.wait(LONG);
        }
        child.wait().unwrap();
    }
}

//! The kernel: one process, what it has started, and who waits for it.

use errno::Errno;
use loom::sync::{Condvar, Mutex};
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;

/// What a wait status says of a process that was killed.
pub(crate) const KILLED: i32 = 9;

const PID: i32 = 1000;

thread_local! {
    // All threads of a model are one thread of the test.
    static PROCESS: RefCell<Weak<Process>> = const { RefCell::new(Weak::new()) };
}

#[derive(Debug)]
pub(crate) struct Process {
    state: Mutex<State>,
    ended: Condvar,
    /// It can kill a group by its leader's pidfd.
    knows_groups: bool,
}

#[derive(Debug)]
struct State {
    life: Life,
    /// Another process of its group runs.
    has_member: bool,
    watchers: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Runs,
    /// It has ended and keeps its number.
    Ended(i32),
    /// Its number may be another's.
    Reaped,
}

/// A process id, until it is opened.
pub(crate) fn start(knows_groups: bool) -> (signals::Pid, Pidfd) {
    let state = State { life: Life::Runs, has_member: true, watchers: Vec::new() };
    let process = Arc::new(Process { state: Mutex::new(state), ended: Condvar::new(), knows_groups });
    PROCESS.set(Arc::downgrade(&process));
    (signals::Pid(PID), Pidfd(process))
}

/// What is done by a number.
fn by_number(pid: signals::Pid) -> Pidfd {
    assert_eq!(pid.0, PID);
    Pidfd(PROCESS.with_borrow(Weak::upgrade).expect("there is a process"))
}

#[derive(Clone, Debug)]
pub(crate) struct Pidfd(Arc<Process>);

impl Pidfd {
    /// It ends by itself, or by a signal that others send.
    pub(crate) fn end(&self, status: i32) {
        let mut state = self.0.state.lock().unwrap();
        if state.life == Life::Runs {
            state.life = Life::Ended(status);
            let watchers = std::mem::take(&mut state.watchers);
            drop(state);
            self.0.ended.notify_all();
            watchers.into_iter().for_each(Waker::wake);
        }
    }

    /// `waitid`: its status, once it has ended.
    pub(crate) fn wait(&self, reaps: bool) -> Result<Option<i32>, Errno> {
        let mut state = self.0.state.lock().unwrap();
        match state.life {
            Life::Runs => Ok(None),
            Life::Ended(status) => {
                if reaps {
                    state.life = Life::Reaped;
                }
                Ok(Some(status))
            }
            Life::Reaped => Err(Errno::CHILD),
        }
    }

    pub(crate) fn kill_group(&self) -> Result<(), Errno> {
        if !self.0.knows_groups {
            return Err(Errno::INVAL);
        }
        self.0.state.lock().unwrap().has_member = false;
        self.end(KILLED);
        Ok(())
    }

    /// By the number, which must be its own.
    fn kill_group_by_number(&self) {
        let mut state = self.0.state.lock().unwrap();
        assert_ne!(state.life, Life::Reaped, "a signal to a number that may be another's");
        state.has_member = false;
        drop(state);
        self.end(KILLED);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.state.lock().unwrap().life != Life::Runs
    }

    pub(crate) fn is_reaped(&self) -> bool {
        self.0.state.lock().unwrap().life == Life::Reaped
    }

    pub(crate) fn has_member(&self) -> bool {
        self.0.state.lock().unwrap().has_member
    }

    /// Sleeps until it has ended.
    fn wait_until_ended(&self) {
        let mut state = self.0.state.lock().unwrap();
        while state.life == Life::Runs {
            state = self.0.ended.wait(state).unwrap();
        }
    }
}

/// As `rustix::io`.
pub(crate) mod errno {
    use std::fmt;
    use std::io;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Errno(i32);

    impl Errno {
        pub(crate) const PERM: Self = Self(1);
        pub(crate) const INTR: Self = Self(4);
        pub(crate) const CHILD: Self = Self(10);
        pub(crate) const INVAL: Self = Self(22);
        pub(crate) const NOSYS: Self = Self(38);
    }

    impl From<Errno> for io::Error {
        fn from(errno: Errno) -> Self {
            Self::from_raw_os_error(errno.0)
        }
    }

    impl fmt::Display for Errno {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }
}

/// As `rustix::process`.
pub(crate) mod signals {
    use super::errno::Errno;
    use super::{KILLED, Pidfd, by_number};
    use std::num::NonZeroI32;
    use std::ops::BitOr;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Pid(pub(super) i32);

    impl Pid {
        pub(crate) fn from_raw(pid: i32) -> Option<Self> {
            (pid > 0).then_some(Self(pid))
        }

        pub(crate) fn as_raw_nonzero(self) -> NonZeroI32 {
            NonZeroI32::new(self.0).expect("it is not 0")
        }
    }

    pub(crate) struct Signal;

    impl Signal {
        pub(crate) const KILL: Self = Self;
    }

    pub(crate) struct PidfdFlags;

    impl PidfdFlags {
        pub(crate) fn empty() -> Self {
            Self
        }
    }

    pub(crate) struct WaitOptions;

    impl WaitOptions {
        pub(crate) fn empty() -> Self {
            Self
        }
    }

    pub(crate) enum WaitId<'a> {
        PidFd(&'a Pidfd),
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct WaitIdOptions(u8);

    impl WaitIdOptions {
        pub(crate) const EXITED: Self = Self(1);
        pub(crate) const NOHANG: Self = Self(2);
        pub(crate) const NOWAIT: Self = Self(4);
    }

    impl BitOr for WaitIdOptions {
        type Output = Self;

        fn bitor(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }
    }

    pub(crate) fn pidfd_open(pid: Pid, _: PidfdFlags) -> Result<Pidfd, Errno> {
        Ok(by_number(pid))
    }

    pub(crate) fn pidfd_send_signal(pidfd: &Pidfd, _: Signal) -> Result<(), Errno> {
        pidfd.end(KILLED);
        Ok(())
    }

    pub(crate) fn waitid(WaitId::PidFd(pidfd): WaitId<'_>, options: WaitIdOptions) -> Result<Option<i32>, Errno> {
        if options.0 & WaitIdOptions::NOHANG.0 == 0 {
            pidfd.wait_until_ended();
        }
        pidfd.wait(options.0 & WaitIdOptions::NOWAIT.0 == 0)
    }

    pub(crate) fn kill_process(pid: Pid, _: Signal) -> Result<(), Errno> {
        let pidfd = by_number(pid);
        assert!(!pidfd.is_reaped(), "a signal to a number that may be another's");
        pidfd_send_signal(&pidfd, Signal)
    }

    pub(crate) fn kill_process_group(pid: Pid, _: Signal) -> Result<(), Errno> {
        by_number(pid).kill_group_by_number();
        Ok(())
    }

    pub(crate) fn waitpid(pid: Option<Pid>, _: WaitOptions) -> Result<Option<i32>, Errno> {
        waitid(WaitId::PidFd(&by_number(pid.ok_or(Errno::INVAL)?)), WaitIdOptions::EXITED)
    }
}

/// As `rustix::event`.
pub(crate) mod poll {
    use super::Pidfd;
    use super::errno::Errno;
    use std::time::Duration;

    pub(crate) struct PollFlags;

    impl PollFlags {
        pub(crate) const IN: Self = Self;
    }

    pub(crate) struct PollFd<'a>(&'a Pidfd);

    impl<'a> PollFd<'a> {
        pub(crate) fn new(pidfd: &'a Pidfd, _: PollFlags) -> Self {
            Self(pidfd)
        }
    }

    pub(crate) struct Timespec(Duration);

    impl From<Duration> for Timespec {
        fn from(duration: Duration) -> Self {
            Self(duration)
        }
    }

    /// Looks, or waits without an end: no deadline passes here.
    pub(crate) fn poll(fds: &mut [PollFd<'_>; 1], patience: Option<&Timespec>) -> Result<usize, Errno> {
        let [PollFd(pidfd)] = fds;
        if patience.is_some_and(|Timespec(patience)| patience.is_zero()) {
            return Ok(usize::from(pidfd.has_ended()));
        }
        pidfd.wait_until_ended();
        Ok(1)
    }
}

/// As `async_io`.
pub(crate) mod watch {
    use super::{Life, Pidfd};
    use std::future::poll_fn;
    use std::io;
    use std::task::Poll;
    use std::time::Duration;

    pub(crate) struct Async<'a>(&'a Pidfd);

    impl<'a> Async<'a> {
        pub(crate) fn new_nonblocking(pidfd: &'a Pidfd) -> io::Result<Self> {
            Ok(Self(pidfd))
        }

        pub(crate) async fn readable(&self) -> io::Result<()> {
            poll_fn(|cx| {
                let mut state = self.0.0.state.lock().unwrap();
                if state.life == Life::Runs {
                    state.watchers.push(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            })
            .await
        }
    }

    pub(crate) struct Timer;

    impl Timer {
        /// Whoever waits a little lets others go on.
        #[allow(clippy::unused_async, reason = "a timer is a future")]
        pub(crate) async fn after(_: Duration) {
            loom::thread::yield_now();
        }
    }
}

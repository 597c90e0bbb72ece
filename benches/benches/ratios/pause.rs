//! A pause between calls that is as short as was asked for.

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer on tokio's reactor: its own timer counts in whole milliseconds.
#[derive(Debug)]
pub(crate) struct Pause {
    timer: AsyncFd<OwnedFd>,
    time: Duration,
}

impl Pause {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new(time: Duration) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        // What replaces it is unsafe, for the sake of types that close or change their descriptor; this one cannot.
        #[allow(deprecated, reason = "the descriptor is owned and never changes")]
        let timer = AsyncFd::try_with_interest(timer, Interest::READABLE)?;
        Ok(Self { timer, time })
    }

    pub(crate) async fn wait(&self) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(self.time.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: self.time.subsec_nanos().into(),
            },
        };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        // Setting it again makes it unread, so there is no need to read it.
        self.timer.readable().await?.clear_ready();
        Ok(())
    }
}

//! Who waits for the end of a process.

use crate::error::exit_info::ExitInfo;
use crate::sys::child::Child;
use std::sync::Arc;

/// Who waits for the end of a process.
///
/// | state | until | then |
/// |---|---|---|
/// | `Announced` | the fork server sends the process | `ByForkServer` |
/// | | the fork server has ended | `Unannounced` |
/// | `Unannounced` | the process arrives, as the fork server had sent it before its end | `Here` |
/// | `ByForkServer` | the fork server has ended | `Here` |
/// | any of them | its end is recorded | `Ended` |
///
/// A child of the program's own is `Unannounced` until it arrives, a moment later.
#[derive(Debug)]
pub(super) enum Supervision<P> {
    /// A fork server was asked for it, and will send the process, and how it ended.
    Announced,
    /// It has not arrived, and no fork server will report its end.
    Unannounced,
    /// The fork server reaps it, and sends how it ended.
    ByForkServer(Arc<Child<P>>),
    /// The background thread waits for it, and reaps it if it is a child.
    Here(Arc<Child<P>>),
    Ended(Arc<ExitInfo>),
}

/// What the background thread has to do from now on.
#[derive(Debug)]
#[must_use]
pub(super) enum Duty<P> {
    /// The same as before.
    AsBefore,
    /// Its fork server has to report its end: watch that it does.
    SeeEnd(Arc<Child<P>>),
    /// Wait for it, and reap it.
    Reap(Arc<Child<P>>),
}

impl<P> Supervision<P> {
    /// The process has arrived.
    pub(super) fn arrive(&mut self, child: Arc<Child<P>>) -> Duty<P> {
        match self {
            Self::Announced => {
                *self = Self::ByForkServer(Arc::clone(&child));
                Duty::SeeEnd(child)
            }
            Self::Unannounced => {
                *self = Self::Here(Arc::clone(&child));
                Duty::Reap(child)
            }
            // It arrives twice, or too late.
            Self::ByForkServer(_) | Self::Here(_) | Self::Ended(_) => Duty::AsBefore,
        }
    }

    /// No fork server will report its end.
    pub(super) fn lose_fork_server(&mut self) -> Duty<P> {
        match self {
            Self::Announced => {
                *self = Self::Unannounced;
                Duty::AsBefore
            }
            Self::ByForkServer(child) => {
                let child = Arc::clone(child);
                *self = Self::Here(Arc::clone(&child));
                Duty::Reap(child)
            }
            Self::Unannounced | Self::Here(_) | Self::Ended(_) => Duty::AsBefore,
        }
    }

    /// Records the end; false if that was done before.
    pub(super) fn end(&mut self, exit: ExitInfo) -> bool {
        let is_first = self.exit().is_none();
        if is_first {
            *self = Self::Ended(Arc::new(exit));
        }
        is_first
    }

    pub(super) fn exit(&self) -> Option<&Arc<ExitInfo>> {
        if let Self::Ended(exit) = self { Some(exit) } else { None }
    }

    /// The process, from its arrival until its end is recorded.
    pub(super) fn child(&self) -> Option<&Arc<Child<P>>> {
        match self {
            Self::ByForkServer(child) | Self::Here(child) => Some(child),
            Self::Announced | Self::Unannounced | Self::Ended(_) => None,
        }
    }
}

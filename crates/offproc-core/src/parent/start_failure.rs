//! Why a start failed, and whether another attempt may succeed.

use crate::error::{BrokenWorkerError, Error, Phase};
use crate::sys::{signals, status};
use std::io;
use std::process::ExitStatus;

/// A start that failed.
#[derive(Debug)]
pub(crate) enum StartFailure {
    /// The cause has nothing to do with the worker's work, and may be over by now.
    Transient(Error),
    /// Another attempt would fail in the same way.
    Fatal(Error),
}

impl StartFailure {
    pub(crate) fn fatal(error: impl Into<io::Error>) -> Self {
        Self::Fatal(Error::Spawn(error.into()))
    }

    /// The failure of a process that ended before it was ready.
    ///
    /// Transient are: a Ctrl+C, or another signal that was ignored when the program started, in the moment before the
    /// new process ignores it; a SIGKILL from another process in that moment; and an end without a status, as the fork
    /// server that would report it has died.
    pub(crate) fn of_death(death: BrokenWorkerError) -> Self {
        if death.phase() == Phase::Start && death.exit_status().is_none_or(is_accident) {
            Self::Transient(death.into())
        } else {
            Self::Fatal(death.into())
        }
    }

    /// The failure of a process that has never arrived: its fork server, or the spare, has died. Transient.
    pub(crate) fn lost_spare(death: BrokenWorkerError) -> Self {
        Self::Transient(death.into())
    }

    /// The failure of a spare that has refused to serve. It was forked before the call that it is for, so the cause may
    /// be over: transient.
    pub(crate) fn refused_spare(refusal: Self) -> Self {
        match refusal {
            Self::Fatal(error) | Self::Transient(error) => Self::Transient(error),
        }
    }

    /// The worker may have the rights from before or after a change of the program's. Transient.
    pub(crate) fn changing_rights() -> Self {
        Self::Transient(Error::Spawn(io::Error::other(
            "the program's users, groups, capabilities or root directory changed during each start of a worker, and a \
             job runs only with those that the program has",
        )))
    }

    /// The error of the call for which it was started.
    pub(crate) fn into_error(self) -> Error {
        match self {
            // A process that died before it was ready is a worker that could not be started.
            Self::Transient(Error::BrokenWorker(death)) | Self::Fatal(Error::BrokenWorker(death))
                if death.phase() == Phase::Start =>
            {
                Error::Spawn(io::Error::other(death))
            }
            Self::Transient(error) | Self::Fatal(error) => error,
        }
    }
}

impl From<Error> for StartFailure {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

fn is_accident(status: ExitStatus) -> bool {
    status::is_interrupt(status) || status::is_kill(status) || status::signal(status).is_some_and(signals::was_ignored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::exit_info::{ExitInfo, ExitReport};

    fn death(phase: Phase, status: Option<i32>) -> BrokenWorkerError {
        let exit = ExitInfo { status: status.map(status::from_raw), ..ExitInfo::default() };
        ExitReport { pid: 1, phase, by_us: false, exit }.into()
    }

    #[test]
    fn only_accidents_are_tried_again() {
        let is_transient =
            |phase, status| matches!(StartFailure::of_death(death(phase, status)), StartFailure::Transient(_));
        assert!(is_transient(Phase::Start, Some(libc::SIGINT)));
        assert!(is_transient(Phase::Start, Some(libc::SIGKILL)));
        assert!(is_transient(Phase::Start, None));
        assert!(!is_transient(Phase::Start, Some(libc::SIGSEGV)));
        assert!(!is_transient(Phase::Start, Some(1 << 8)));
        for phase in [Phase::Init, Phase::State, Phase::Sandbox] {
            assert!(!is_transient(phase, Some(libc::SIGINT)));
            assert!(!is_transient(phase, None));
        }
    }

    #[test]
    fn a_death_before_the_functions_of_the_context_is_a_start_that_failed() {
        let error = |phase| StartFailure::of_death(death(phase, Some(libc::SIGSEGV))).into_error();
        assert!(matches!(error(Phase::Start), Error::Spawn(_)));
        assert!(matches!(error(Phase::Init), Error::BrokenWorker(_)));
    }
}

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a worker was doing when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// It had not yet sent that it was ready.
    Start,
    /// It ran the context's `init` function.
    Init,
    /// It ran a job.
    Job,
    /// It had no job.
    Idle,
    /// It had been asked to leave.
    Shutdown,
    /// It had answered, and ran the context's `retire` function.
    Retire,
    /// It ran the context's `sandbox` function.
    Sandbox,
    /// It made its state, with the function of `init_with`.
    State,
}

impl Phase {
    pub(crate) const ALL: [Self; 8] =
        [Self::Start, Self::Init, Self::Job, Self::Idle, Self::Shutdown, Self::Retire, Self::Sandbox, Self::State];

    /// True for phases in which no call waits for an answer.
    pub(crate) fn has_no_caller(self) -> bool {
        matches!(self, Self::Idle | Self::Shutdown | Self::Retire)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "while starting",
            Self::Init => "in its init function",
            Self::Job => "while it ran a job",
            Self::Idle => "while it had no job",
            Self::Shutdown => "while shutting down",
            Self::Retire => "in its retire function",
            Self::Sandbox => "in its sandbox function",
            Self::State => "while it made its state",
        })
    }
}

use std::fmt;

/// What a worker was doing when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It had not said that it was ready.
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
}

impl Phase {
    pub(crate) const ALL: [Self; 7] =
        [Self::Start, Self::Init, Self::Job, Self::Idle, Self::Shutdown, Self::Retire, Self::Sandbox];

    /// True where nobody waits for an answer.
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
        })
    }
}

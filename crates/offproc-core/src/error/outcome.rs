use super::call::Error;

/// How a call ended, in one word: what spans, metrics and totals go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It has a result.
    Ok,
    /// The function panicked.
    Panicked,
    /// The worker died.
    Crashed,
    /// Its time limit passed.
    TimedOut,
    /// Its deadline passed.
    Deadline,
    /// The queue of its context was full.
    Overloaded,
    /// It was dropped before its end, or ended by a panic of the caller's own code.
    Cancelled,
    /// Its context was closed.
    Closed,
    /// A value could not be serialised.
    Encode,
    /// A value could not be deserialised.
    Decode,
    /// A worker could not be started.
    Spawn,
    /// Its limit of CPU time passed.
    CpuTime,
    /// Its limit of memory passed.
    Memory,
    /// Its function takes another type of state than its context has.
    State,
}

impl CallOutcome {
    /// All of them, in their order.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::Panicked,
        Self::Crashed,
        Self::TimedOut,
        Self::Deadline,
        Self::Overloaded,
        Self::Cancelled,
        Self::Closed,
        Self::Encode,
        Self::Decode,
        Self::Spawn,
        Self::CpuTime,
        Self::Memory,
        Self::State,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Panicked => "panicked",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed_out",
            Self::Deadline => "deadline",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Spawn => "spawn",
            Self::CpuTime => "cpu_time",
            Self::Memory => "memory",
            Self::State => "state",
        }
    }
}

impl Error {
    /// The outcome of the call that ended with it.
    #[doc(hidden)]
    #[must_use]
    pub fn outcome(&self) -> CallOutcome {
        match self {
            Self::Panicked(_) => CallOutcome::Panicked,
            Self::BrokenWorker(_) => CallOutcome::Crashed,
            Self::TimedOut => CallOutcome::TimedOut,
            Self::DeadlineExceeded(_) => CallOutcome::Deadline,
            Self::Overloaded => CallOutcome::Overloaded,
            Self::Closed => CallOutcome::Closed,
            Self::Encode(_) => CallOutcome::Encode,
            Self::Decode(_) => CallOutcome::Decode,
            Self::Spawn(_) => CallOutcome::Spawn,
            Self::CpuTimeExceeded { .. } => CallOutcome::CpuTime,
            Self::MemoryExceeded { .. } => CallOutcome::Memory,
            Self::State(_) => CallOutcome::State,
        }
    }
}

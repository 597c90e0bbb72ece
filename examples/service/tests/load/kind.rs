//! The kinds of requests, and which comes when.

/// One in so many requests is hostile.
pub(crate) const HOSTILE_EVERY: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    Endless,
    Crash,
    Bomb,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Good, Self::Endless, Self::Crash, Self::Bomb];
    pub(crate) const HOSTILE: [Self; 3] = [Self::Endless, Self::Crash, Self::Bomb];

    /// The status of its answer, where the machine has time for it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Good => 200,
            Self::Endless => 504,
            Self::Crash => 500,
            Self::Bomb => 422,
        }
    }

    /// Whether this is an answer to it. On a machine that has too much else to do, each may find the queue full, or
    /// pass its deadline.
    pub(crate) fn allows(self, answer: &Result<u16, String>) -> bool {
        answer.as_ref().is_ok_and(|status| [self.status(), 503, 504].contains(status))
    }

    /// Of the request of this number.
    pub(crate) fn of(number: usize) -> Self {
        if number % HOSTILE_EVERY != HOSTILE_EVERY / 2 {
            return Self::Good;
        }
        Self::HOSTILE[number / HOSTILE_EVERY % Self::HOSTILE.len()]
    }
}

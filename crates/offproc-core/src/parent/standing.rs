//! Whether a worker takes jobs.

/// What the parent may expect of a worker.
///
/// | from | by | to |
/// |---|---|---|
/// | `Available` | an answer, where the context may retire it | `Deciding` |
/// | `Deciding` | its decision to stay | `Available` |
/// | `Deciding` | any other event in place of that | `Leaving` |
/// | `Available`, `Deciding` | a request to shut down; a job that could not be sent; an answer that ends it | `Leaving` |
/// | any | a job that the worker has not taken | `Left` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The worker takes a job, or has one.
    Available,
    /// The worker has answered, and has not sent its decision to stay or leave. `is_overdue`: a call has waited for the
    /// decision until its patience was over.
    Deciding { is_overdue: bool },
    /// The worker takes no job any more. `decides`: it has not sent its decision, so it may still be in its `retire`
    /// function.
    Leaving { decides: bool },
    /// The worker left by itself before it took the job that the parent sent.
    Left,
}

impl Standing {
    /// True if the worker takes no job any more.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Leaving { .. } | Self::Left)
    }

    /// True if the worker has not sent its decision yet.
    pub(super) fn decides(self) -> bool {
        matches!(self, Self::Deciding { .. } | Self::Leaving { decides: true })
    }

    /// The worker has answered.
    pub(super) fn answered(&mut self, may_retire: bool, ends_worker: bool) {
        *self = match may_retire {
            _ if ends_worker || self.is_final() => Self::Leaving { decides: may_retire },
            true => Self::Deciding { is_overdue: false },
            false => Self::Available,
        };
    }

    /// The worker has sent its decision to stay. False if it was not to decide.
    pub(super) fn stays(&mut self) -> bool {
        let decides = self.decides();
        match self {
            Self::Deciding { .. } => *self = Self::Available,
            Self::Leaving { decides } => *decides = false,
            Self::Available | Self::Left => {}
        }
        decides
    }

    /// A call has waited for the worker's decision until its patience was over.
    pub(super) fn overdue(&mut self) {
        if let Self::Deciding { is_overdue } = self {
            *is_overdue = true;
        }
    }

    /// The worker takes no job from here on.
    pub(super) fn leaves(&mut self) {
        if *self != Self::Left {
            *self = Self::Leaving { decides: self.decides() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{self, Available, Deciding, Leaving, Left};

    fn after(mut standing: Standing, change: impl FnOnce(&mut Standing)) -> Standing {
        change(&mut standing);
        standing
    }

    #[test]
    fn a_worker_that_may_retire_is_available_once_it_has_said_so() {
        let deciding = after(Available, |standing| standing.answered(true, false));
        assert_eq!(deciding, Deciding { is_overdue: false });
        assert!(deciding.decides() && !deciding.is_final());
        assert_eq!(after(deciding, Standing::overdue), Deciding { is_overdue: true });
        assert_eq!(after(deciding, |standing| assert!(standing.stays())), Available);
        assert_eq!(after(Available, |standing| assert!(!standing.stays(), "it was not asked")), Available);
        assert_eq!(after(Available, |standing| standing.answered(false, false)), Available);
    }

    #[test]
    fn a_worker_that_leaves_never_takes_a_job_again() {
        for from in [Available, Deciding { is_overdue: true }, Leaving { decides: false }, Leaving { decides: true }] {
            let leaving = after(from, Standing::leaves);
            assert_eq!(leaving, Leaving { decides: from.decides() });
            let stayed = after(leaving, |standing| {
                standing.stays();
            });
            assert_eq!(stayed, Leaving { decides: false }, "its decision to stay may still come");
            assert_eq!(after(stayed, |standing| standing.answered(true, false)), Leaving { decides: true });
            assert_eq!(after(leaving, Standing::overdue), leaving);
        }
        assert_eq!(after(Available, |standing| standing.answered(false, true)), Leaving { decides: false });
    }

    #[test]
    fn a_worker_that_had_left_was_not_asked_to() {
        assert_eq!(after(Left, Standing::leaves), Left);
        assert!(Left.is_final() && !Left.decides());
    }
}

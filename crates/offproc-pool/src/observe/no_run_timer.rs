//! Without the feature that would measure a job.

#[derive(Debug)]
pub(crate) struct RunTimer;

impl RunTimer {
    pub(crate) const fn idle() -> Self {
        Self
    }

    pub(crate) fn has_not_run(&mut self) {}
}

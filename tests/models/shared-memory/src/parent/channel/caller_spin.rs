//! How a caller waits before it parks.

use crate::model::Wait;

#[derive(Debug)]
pub(super) struct CallerSpin {
    wait: Wait,
    is_due: bool,
}

impl CallerSpin {
    pub(super) fn new(_is_on: bool) -> Self {
        Self { wait: Wait::of_parent(), is_due: false }
    }

    pub(super) fn begin(&mut self) {
        self.is_due = true;
    }

    pub(super) fn until(&mut self, _contended: bool, _bytes: impl Fn() -> u64, is_there: impl Fn() -> bool) {
        if std::mem::take(&mut self.is_due) {
            let _ = self.wait.until(|| is_there().then_some(()));
        }
    }
}

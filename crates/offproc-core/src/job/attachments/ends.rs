//! The ends of item channels that go with a message.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// An end of an item channel that goes with a message.
pub(crate) trait Leaving: fmt::Debug + Send + Sync {
    /// The message was not sent, or the worker will never read it.
    fn stays(&self);

    /// The other process has it, or no process.
    fn left(&self);
}

/// Those of one message: they have left, unless it comes back.
#[derive(Debug, Default)]
pub(super) struct Ends {
    going: Vec<Arc<dyn Leaving>>,
    /// Those of a job that was sent.
    departed: Option<Arc<Departed>>,
}

/// Whether a worker has died of a job that it had begun to read, as far as can be seen at once.
pub(crate) type HasDied = Box<dyn Fn() -> bool + Send + Sync>;

/// The ends that went with a job. The task that polls for its answer settles what becomes of them; if the worker dies
/// and no task polls, [`settle_departed`] does.
struct Departed {
    ends: Mutex<Vec<Arc<dyn Leaving>>>,
    has_died: HasDied,
}

static DEPARTED: Mutex<Vec<Weak<Departed>>> = Mutex::new(Vec::new());

impl Ends {
    pub(super) fn add(&mut self, end: Arc<dyn Leaving>) {
        self.going.push(end);
    }

    /// The job was sent.
    pub(super) fn depart(&mut self, has_died: impl FnOnce() -> HasDied) {
        if self.going.is_empty() {
            return;
        }
        let ends = Mutex::new(std::mem::take(&mut self.going));
        let departed = Arc::new(Departed { ends, has_died: has_died() });
        let mut all = lock(&DEPARTED);
        all.retain(|departed| departed.strong_count() > 0);
        all.push(Arc::downgrade(&departed));
        self.departed = Some(departed);
    }

    pub(super) fn stay(&mut self) {
        self.take().iter().for_each(|end| end.stays());
    }

    pub(super) fn left(&mut self) {
        self.take().iter().for_each(|end| end.left());
    }

    fn take(&mut self) -> Vec<Arc<dyn Leaving>> {
        let mut ends = std::mem::take(&mut self.going);
        if let Some(departed) = self.departed.take() {
            ends.append(&mut lock(&departed.ends));
        }
        ends
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.left();
    }
}

/// A worker has ended: the ends that went with its job, if it had begun to read that, have left.
pub(crate) fn settle_departed() {
    let departed: Vec<_> = lock(&DEPARTED).iter().filter_map(Weak::upgrade).collect();
    for departed in departed.iter().filter(|departed| (departed.has_died)()) {
        let ends = std::mem::take(&mut *lock(&departed.ends));
        ends.iter().for_each(|end| end.left());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departed").finish_non_exhaustive()
    }
}

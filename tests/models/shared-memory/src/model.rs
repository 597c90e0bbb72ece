//! How the models are run.

use crate::kernel::{Shared, Trigger};
use crate::sides::{Parent, Worker};
use crate::sync::{Fences, set_fences};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Explores with at most so many preemptions (or `LOOM_MAX_PREEMPTIONS`); `None` for all of them.
pub(crate) fn explore(name: &str, preemptions: Option<usize>, body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    for fences in [Fences::BeforeLoads, Fences::BehindStores] {
        let (body, count) = (Arc::clone(&body), Arc::new(AtomicU64::new(0)));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(preemptions);
        let (start, counted) = (Instant::now(), Arc::clone(&count));
        builder.check(move || {
            set_fences(fences);
            counted.fetch_add(1, Ordering::Relaxed);
            body();
        });
        let (count, bound) = (count.load(Ordering::Relaxed), builder.preemption_bound);
        println!("{name}, fences {fences:?}, preemptions {bound:?}: {count} executions in {:.1?}", start.elapsed());
    }
}

/// How a side waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It looks until it finds something.
    Awake,
    /// It looks so many times, and then sleeps.
    Asleep(usize),
}

thread_local! {
    // All threads of a model are one thread of the test.
    static WAYS: Cell<Ways> = const { Cell::new(Ways::AWAKE) };
}

impl Wait {
    pub(crate) fn of_parent() -> Self {
        WAYS.get().parent
    }

    pub(crate) fn of_worker() -> Self {
        WAYS.get().worker
    }

    pub(crate) fn until<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        match self {
            Self::Awake => loop {
                if let Some(found) = look() {
                    return Some(found);
                }
                loom::thread::yield_now();
            },
            Self::Asleep(looks) => (0..looks).find_map(|_| look()),
        }
    }
}

/// One combination of how the sides wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    pub(crate) worker: Wait,
    pub(crate) parent: Wait,
    pub(crate) trigger: Trigger,
}

impl Ways {
    const AWAKE: Self = Self { worker: Wait::Awake, parent: Wait::Awake, trigger: Trigger::Edge };

    pub(crate) fn sides(self) -> (Arc<Shared>, Parent, Worker) {
        let shared = Shared::new();
        WAYS.set(self);
        let sides = (Parent::new(&shared, self.trigger), Worker::new(&shared));
        (shared, sides.0, sides.1)
    }
}

/// The worker never sleeps, or after one look, or two.
pub(crate) const WORKERS: [Wait; 3] = [Wait::Awake, Wait::Asleep(1), Wait::Asleep(2)];
/// The parent never parks, or at once, or after a look.
const PARENTS: [Wait; 3] = [Wait::Awake, Wait::Asleep(0), Wait::Asleep(1)];
const TRIGGERS: [Trigger; 3] = [Trigger::Edge, Trigger::Level, Trigger::EdgeAnew];

/// Explores every combination.
pub(crate) fn explore_all(name: &str, preemptions: Option<usize>, body: impl Fn(Ways) + Send + Sync + Clone + 'static) {
    for worker in WORKERS {
        for parent in PARENTS {
            for trigger in TRIGGERS {
                if parent == Wait::Awake && trigger != Trigger::Edge {
                    continue;
                }
                let (ways, body) = (Ways { worker, parent, trigger }, body.clone());
                explore(&format!("{name}, {ways:?}"), preemptions, move || body(ways));
            }
        }
    }
}

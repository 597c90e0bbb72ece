use super::Totals;
use crate::context::Statistics;
use std::sync::atomic::{AtomicBool, Ordering};

/// A call, and a worker, of each kind.
fn count(totals: &Totals) {
    for part in [&totals.panicked, &totals.timed_out, &totals.overloaded] {
        totals.calls.add_one();
        part.add_one();
    }
    for part in [&totals.retired, &totals.crashed, &totals.killed] {
        totals.started.add_one();
        part.add_one();
    }
}

#[test]
fn never_have_more_of_a_part_than_of_the_whole() {
    let (totals, is_over) = (Totals::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                count(&totals);
            }
        });
        let odd = (0..1_000_000).map(|_| totals.with(Statistics::default())).find(|now| {
            now.panicked + now.timed_out + now.overloaded > now.calls
                || now.retired + now.crashed + now.killed > now.started
        });
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(odd, None);
    });
}

use super::{UNKNOWN, current, join, leave};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

#[test]
fn moving_leaves_the_affinity_as_it_was() {
    let before = sched_getaffinity(None).unwrap();
    let cpu = current();
    assert_eq!(leave(cpu), before.count() > 1);
    assert!(join(cpu));
    assert_eq!(sched_getaffinity(None).unwrap(), before);
}

#[test]
fn a_thread_goes_nowhere_that_it_may_not_run() {
    let one = current();
    let mut only = CpuSet::new();
    only.set(usize::try_from(one).unwrap());
    sched_setaffinity(None, &only).unwrap();
    assert!(!leave(one));
    assert!(!join(one + 1) && !join(UNKNOWN) && !join(5000));
    assert_eq!((current(), sched_getaffinity(None).unwrap()), (one, only));
}

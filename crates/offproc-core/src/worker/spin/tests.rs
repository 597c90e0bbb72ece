use super::WorkerSpin;
use std::cell::Cell;
use std::time::Duration;

const MOST: Duration = Duration::from_micros(50);
const MICRO: Duration = Duration::from_micros(1);

#[test]
fn spins_shorter_after_an_unsuccessful_spin_and_longer_after_a_successful_one() {
    let mut spin = WorkerSpin::new(Duration::from_micros(4));
    // A spin that loses the CPU to another test does not count.
    for _ in 0..1000 {
        spin.backoff = Duration::ZERO;
        assert_eq!(spin.until(|| None::<()>, || {}), None);
    }
    assert_eq!(spin.budget, WorkerSpin::LEAST);
    spin.backoff = Duration::ZERO;
    let mut looks = 0;
    let mut second = || {
        looks += 1;
        (looks % 2 == 0).then_some(())
    };
    spin.until(&mut second, || {}).unwrap();
    assert_eq!(spin.budget, 2 * WorkerSpin::LEAST);
    spin.until(&mut second, || {}).unwrap();
    spin.until(&mut second, || {}).unwrap();
    assert_eq!(spin.budget, spin.max_spin, "and no longer than was set");
}

#[test]
fn learns_from_a_job_that_a_longer_look_would_have_found() {
    let mut spin = WorkerSpin::new(Duration::from_secs(3600));
    spin.budget = MICRO;
    assert_eq!(spin.until(|| None::<()>, || {}), None);
    spin.woken();
    assert_eq!(spin.budget, 2 * MICRO);
    spin.woken();
    assert_eq!(spin.budget, 2 * MICRO, "once for each look");
}

#[test]
fn says_once_that_it_has_looked_for_a_while() {
    let said = Cell::new(0);
    let is_idle = || said.set(said.get() + 1);
    let mut spin = WorkerSpin::new(Duration::from_secs(3600));
    spin.budget = MICRO;
    assert_eq!(spin.until(|| None::<()>, is_idle), None);
    assert_eq!(said.get(), 0, "not in a short one");
    // A spin that loses the CPU to another test does not count.
    let looked = (0..1000).any(|_| {
        let mut spin = WorkerSpin::new(MOST);
        said.set(0);
        assert_eq!(spin.until(|| None::<()>, is_idle), None);
        assert!(said.get() <= 1);
        !spin.is_contended() && said.get() == 1
    });
    assert!(looked);
}

#[test]
fn does_without_when_asked_to() {
    let mut spin = WorkerSpin::new(Duration::ZERO);
    let mut looks = 0;
    let look = || {
        looks += 1;
        None::<()>
    };
    assert_eq!(spin.until(look, || {}), None);
    assert_eq!(looks, 1);
}

#[test]
fn rests_twice_as_long_each_time_that_it_has_lost_its_cpu_and_forgets_with_time() {
    let mut spin = WorkerSpin::new(MOST);
    spin.contended();
    assert_eq!((spin.is_contended(), spin.backoff), (true, WorkerSpin::LEAST_BACKOFF));
    (0..10).for_each(|_| spin.contended());
    assert_eq!(spin.backoff, WorkerSpin::MOST_BACKOFF);
    let mut looks = 0;
    let look = || {
        looks += 1;
        None::<()>
    };
    assert_eq!(spin.until(look, || {}), None);
    assert_eq!(looks, 1, "no second look");
    (0..WorkerSpin::QUIET).for_each(|_| spin.found());
    assert_eq!(spin.backoff, WorkerSpin::MOST_BACKOFF / 2);
    (0..6 * WorkerSpin::QUIET).for_each(|_| spin.found());
    assert!(!spin.is_contended(), "jobs enough were found without a loss");
}

use super::{Place, Spin};
use std::time::{Duration, Instant};

const MOST: Duration = Duration::from_micros(50);
const MICRO: Duration = Duration::from_micros(1);

#[test]
fn looks_shorter_after_each_look_in_vain_and_longer_after_each_that_found() {
    let mut spin = Spin::new(Duration::from_micros(4));
    // A look that loses the CPU to another test does not count.
    for _ in 0..1000 {
        spin.rest = Duration::ZERO;
        assert_eq!(spin.until(|| None::<()>), None);
    }
    assert_eq!(spin.budget, Spin::LEAST);
    spin.rest = Duration::ZERO;
    let mut looks = 0;
    let mut second = || {
        looks += 1;
        (looks % 2 == 0).then_some(())
    };
    spin.until(&mut second).unwrap();
    assert_eq!(spin.budget, 2 * Spin::LEAST);
    spin.until(&mut second).unwrap();
    spin.until(&mut second).unwrap();
    assert_eq!(spin.budget, spin.most, "and no longer than was set");
}

#[test]
fn learns_from_a_job_that_a_longer_look_would_have_found() {
    let mut spin = Spin::new(Duration::from_secs(3600));
    spin.budget = MICRO;
    assert_eq!(spin.until(|| None::<()>), None);
    spin.woken();
    assert_eq!(spin.budget, 2 * MICRO);
    spin.woken();
    assert_eq!(spin.budget, 2 * MICRO, "once for each look");
}

#[test]
fn does_without_when_it_is_told_to() {
    let mut spin = Spin::new(Duration::ZERO);
    let mut looks = 0;
    let look = || {
        looks += 1;
        None::<()>
    };
    assert_eq!(spin.until(look), None);
    assert_eq!(looks, 1);
}

#[test]
fn rests_twice_as_long_each_time_that_it_has_lost_its_cpu_and_forgets_with_time() {
    let mut spin = Spin::new(MOST);
    spin.lose();
    assert_eq!((spin.is_contended(), spin.rest), (true, Spin::LEAST_REST));
    (0..10).for_each(|_| spin.lose());
    assert_eq!(spin.rest, Spin::MOST_REST);
    let mut looks = 0;
    let look = || {
        looks += 1;
        None::<()>
    };
    assert_eq!(spin.until(look), None);
    assert_eq!(looks, 1, "no second look");
    (0..Spin::QUIET).for_each(|_| spin.hit());
    assert_eq!(spin.rest, Spin::MOST_REST / 2);
    (0..6 * Spin::QUIET).for_each(|_| spin.hit());
    assert!(!spin.is_contended(), "jobs enough were found without a loss");
}

/// Answers from the wrong place, so far apart, until it is time to move.
fn answers(place: &mut Place, now: &mut Instant, apart: Duration) -> u32 {
    for count in 1..10_000_000 {
        *now += apart;
        if place.may_move(*now) {
            place.moved = *now;
            return count;
        }
    }
    panic!("never");
}

#[test]
fn moves_after_some_answers_in_a_row_from_the_wrong_place() {
    let mut place = Place::new();
    let mut now = place.moved;
    assert!(place.is_wrong(true, false) && place.is_wrong(false, true));
    assert_eq!(answers(&mut place, &mut now, MICRO), Place::WRONG);
    place.may_move(now + MICRO);
    assert!(!place.is_wrong(false, false) && place.wrong == 0, "one from the right place ends the row");
}

#[test]
fn stays_where_it_is_for_a_caller_that_calls_now_and_then() {
    let mut place = Place::new();
    let mut now = place.moved;
    for _ in 0..1000 {
        now += Place::APART;
        assert!(!place.may_move(now));
    }
}

#[test]
fn moves_less_often_while_that_does_not_pay() {
    let mut place = Place::new();
    let mut now = place.moved;
    answers(&mut place, &mut now, MICRO);
    for pause in [Place::LEAST, 2 * Place::LEAST, 4 * Place::LEAST] {
        assert_eq!(place.pause, pause);
        assert_eq!(answers(&mut place, &mut now, MICRO), u32::try_from(pause.as_micros()).unwrap());
    }
    (0..Place::PAID).for_each(|_| place.seen());
    answers(&mut place, &mut now, MICRO);
    assert_eq!(place.pause, Place::LEAST, "the last one has paid");
    (0..20).for_each(|_| _ = answers(&mut place, &mut now, 10 * MICRO));
    assert_eq!(place.pause, Place::MOST);
}

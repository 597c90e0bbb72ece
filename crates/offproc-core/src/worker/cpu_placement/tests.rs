use super::CpuPlacement;
use std::time::{Duration, Instant};

const MICRO: Duration = Duration::from_micros(1);

/// Answers from the wrong CPU, so far apart, until it is time to move.
fn answers(placement: &mut CpuPlacement, now: &mut Instant, apart: Duration) -> u32 {
    for count in 1..10_000_000 {
        *now += apart;
        if placement.may_move(*now) {
            placement.moved = *now;
            return count;
        }
    }
    panic!("never");
}

#[test]
fn moves_after_some_answers_in_a_row_from_the_wrong_place() {
    let mut placement = CpuPlacement::new();
    let mut now = placement.moved;
    assert!(placement.is_misplaced(true, false) && placement.is_misplaced(false, true));
    assert_eq!(answers(&mut placement, &mut now, MICRO), CpuPlacement::MISPLACED);
    placement.may_move(now + MICRO);
    assert!(!placement.is_misplaced(false, false) && placement.misplaced == 0, "one from the right CPU ends the row");
}

#[test]
fn stays_where_it_is_for_a_caller_that_calls_now_and_then() {
    let mut placement = CpuPlacement::new();
    let mut now = placement.moved;
    for _ in 0..1000 {
        now += CpuPlacement::APART;
        assert!(!placement.may_move(now));
    }
}

#[test]
fn moves_less_often_while_that_does_not_pay() {
    let mut placement = CpuPlacement::new();
    let mut now = placement.moved;
    answers(&mut placement, &mut now, MICRO);
    for pause in [CpuPlacement::LEAST, 2 * CpuPlacement::LEAST, 4 * CpuPlacement::LEAST] {
        assert_eq!(placement.pause, pause);
        assert_eq!(answers(&mut placement, &mut now, MICRO), u32::try_from(pause.as_micros()).unwrap());
    }
    (0..CpuPlacement::PAID).for_each(|_| placement.seen());
    answers(&mut placement, &mut now, MICRO);
    assert_eq!(placement.pause, CpuPlacement::LEAST, "the last one has paid");
    (0..20).for_each(|_| _ = answers(&mut placement, &mut now, 10 * MICRO));
    assert_eq!(placement.pause, CpuPlacement::MOST);
}

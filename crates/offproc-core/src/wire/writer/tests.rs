use super::*;
use proptest::prelude::*;

/// A room that cannot grow.
struct Fixed(Vec<u8>);

impl Room for Fixed {
    fn grow(&mut self, used: usize, needed: usize) -> io::Result<(*mut u8, usize)> {
        if needed > self.0.capacity() { Err(io::ErrorKind::OutOfMemory.into()) } else { self.0.grow(used, needed) }
    }
}

/// A reused buffer: empty, with at least this capacity.
fn recycled(capacity: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; capacity];
    buffer.clear();
    buffer
}

#[test]
fn a_vec_learns_its_length_when_the_writer_is_dropped() {
    let mut room = vec![1, 2, 3];
    let mut writer = Writer::new(&mut room, 3, usize::MAX).unwrap();
    writer.extend(&[4, 5]).unwrap();
    assert_eq!(writer.written(), 5);
    drop(writer);
    assert_eq!(room, [1, 2, 3, 4, 5]);
}

#[test]
fn what_is_behind_the_first_bytes_is_overwritten() {
    let mut room = vec![1, 2, 3];
    let mut writer = Writer::new(&mut room, 1, usize::MAX).unwrap();
    writer.extend(&[9]).unwrap();
    drop(writer);
    assert_eq!(room, [1, 9]);
}

#[test]
fn an_unused_writer_leaves_things_as_they_are() {
    let mut room = Vec::new();
    drop(Writer::new(&mut room, 0, 0).unwrap());
    assert_eq!(room.capacity(), 0);
    room.push(7);
    drop(Writer::new(&mut room, 1, 0).unwrap());
    assert_eq!(room, [7]);
}

#[test]
fn nothing_fits_into_no_bytes() {
    let mut room = Vec::new();
    let mut writer = Writer::new(&mut room, 0, 0).unwrap();
    writer.extend(&[]).unwrap();
    assert!(writer.extend(&[1]).is_err());
    assert!(writer.take_error().is_none(), "it was the limit");
    writer.extend(&[]).unwrap();
    drop(writer);
    assert!(room.is_empty());
}

#[test]
fn the_limit_holds_in_a_large_buffer_that_is_used_again() {
    let mut room = recycled(1000);
    let mut writer = Writer::new(&mut room, 0, 10).unwrap();
    writer.extend(&[1; 8]).unwrap();
    assert!(writer.extend(&[2; 3]).is_err());
    writer.extend(&[3; 2]).unwrap();
    assert!(writer.extend(&[4]).is_err());
    drop(writer);
    assert_eq!(room, [1, 1, 1, 1, 1, 1, 1, 1, 3, 3]);
}

#[test]
fn more_than_the_limit_may_be_there_at_first() {
    let mut room = vec![1; 20];
    let mut writer = Writer::new(&mut room, 20, 10).unwrap();
    writer.extend(&[]).unwrap();
    assert!(writer.extend(&[2]).is_err());
    drop(writer);
    assert_eq!(room, [1; 20]);
}

#[test]
fn growing_doubles_but_not_beyond_the_limit() {
    let mut room = Vec::new();
    let mut writer = Writer::new(&mut room, 0, 100).unwrap();
    let mut grown = 0;
    for byte in 0..100 {
        let capacity = writer.capacity;
        writer.extend(&[byte]).unwrap();
        grown += usize::from(writer.capacity > capacity);
        assert!(writer.capacity <= 100);
    }
    assert!(grown <= 8, "it grew {grown} times");
    assert!(writer.extend(&[0]).is_err());
    drop(writer);
    assert_eq!(room, (0..100).collect::<Vec<_>>());
}

#[test]
fn truncating_makes_room_again() {
    let mut room = Vec::new();
    let mut writer = Writer::new(&mut room, 0, 4).unwrap();
    writer.extend(&[1, 2, 3, 4]).unwrap();
    assert!(writer.extend(&[5]).is_err());
    writer.truncate(9);
    assert_eq!(writer.written(), 4);
    writer.truncate(1);
    writer.extend(&[6, 7]).unwrap();
    drop(writer);
    assert_eq!(room, [1, 6, 7]);
}

#[test]
fn bytes_that_are_there_are_written_over() {
    let mut room = vec![1, 2, 3];
    let mut writer = Writer::new(&mut room, 3, usize::MAX).unwrap();
    writer.extend(&[4, 5]).unwrap();
    writer.patch(1, [8, 9]);
    writer.patch(4, [7]);
    writer.patch(5, []);
    drop(writer);
    assert_eq!(room, [1, 8, 9, 4, 7]);
}

#[test]
fn nothing_is_written_over_beyond_what_is_there() {
    for at in [2, 3, usize::MAX] {
        let written = std::panic::catch_unwind(|| {
            let mut room = Vec::with_capacity(100);
            let mut writer = Writer::new(&mut room, 0, usize::MAX).unwrap();
            writer.extend(&[1, 2, 3]).unwrap();
            writer.patch(at, [0; 2]);
        });
        assert!(written.is_err(), "{at}");
    }
}

#[test]
fn the_reason_of_a_room_that_does_not_grow_is_kept() {
    let mut room = Fixed(Vec::with_capacity(4));
    let fits = room.0.capacity();
    let mut writer = Writer::new(&mut room, 0, usize::MAX).unwrap();
    writer.extend(&vec![1; fits]).unwrap();
    assert!(writer.extend(&[2]).is_err());
    assert_eq!(writer.take_error().unwrap().kind(), io::ErrorKind::OutOfMemory);
    assert!(writer.take_error().is_none());
    assert!(writer.extend(&[2]).is_err());
    writer.truncate(0);
    assert!(writer.take_error().is_none(), "forgotten with what was written");
    writer.extend(&[3]).unwrap();
    drop(writer);
    assert_eq!(room.0, [3]);
}

#[test]
fn memory_that_no_system_has_is_refused() {
    let mut room = Vec::new();
    assert_eq!(room.grow(0, usize::MAX).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 1024 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_writer_is_a_vec_with_a_limit(
        capacity in 0_usize..200,
        first in proptest::collection::vec(any::<u8>(), 0..20),
        limit in 0_usize..300,
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..12),
        cut in proptest::option::of(0_usize..100),
    ) {
        let mut room = recycled(capacity);
        room.extend_from_slice(&first);
        let mut expected = first;
        let mut writer = Writer::new(&mut room, expected.len(), limit).unwrap();
        for piece in &pieces {
            let fits = piece.is_empty() || expected.len() + piece.len() <= limit;
            prop_assert_eq!(writer.extend(piece).is_ok(), fits);
            if fits {
                expected.extend_from_slice(piece);
            }
            prop_assert_eq!(writer.written(), expected.len());
        }
        if let Some(cut) = cut {
            writer.truncate(cut);
            expected.truncate(cut);
        }
        drop(writer);
        prop_assert_eq!(room, expected);
    }
}

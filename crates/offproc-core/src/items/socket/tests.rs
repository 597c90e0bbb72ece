//! The two ends over a socket, and a hostile one.

use super::Carried;
use super::receive::SocketReceiver;
use super::send::SocketSender;
use crate::items::bell::{Rung, SocketBell};
use crate::items::receive::Taken;
use crate::items::send::Offered;
use crate::sys::pairs::pair_of_ends;
use crate::sys::readiness::{self, Interest};
use crate::sys::socket::{self, Blocking};
use crate::wire::items::stream::header;

fn bells() -> (SocketBell, SocketBell) {
    let (a, b) = pair_of_ends().unwrap();
    (SocketBell::new(a), SocketBell::new(b))
}

fn ends(capacity: u64, sender: &SocketBell) -> (SocketSender, SocketReceiver) {
    (SocketSender::new(capacity, Carried::default(), sender), SocketReceiver::new(capacity, Carried::default()))
}

/// Takes an item, waiting as an end does.
fn take(receiver: &mut SocketReceiver, bell: &SocketBell) -> Result<Vec<u8>, Taken> {
    let mut item = Vec::new();
    loop {
        match receiver.take(&mut item, u64::MAX, bell) {
            Taken::Item => return Ok(item),
            Taken::Empty if receiver.is_busy() => {}
            Taken::Empty => assert!(readiness::wait(bell.descriptor(), Interest::Readable, None).unwrap()),
            other => return Err(other),
        }
    }
}

fn write(bell: &SocketBell, bytes: &[u8]) {
    assert_eq!(socket::send(bell.descriptor(), bytes, Blocking::No), Ok(bytes.len()));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn what_the_socket_has_no_room_for_follows() {
    let (ours, theirs) = bells();
    let (mut sender, mut receiver) = ends(4, &ours);
    let sizes = [3 << 20, 0, 9 << 20, 5];
    for (size, byte) in sizes.into_iter().zip(1..) {
        assert!(matches!(sender.offer(&vec![byte; size], &ours), Offered::Sent));
    }
    assert!(matches!(sender.offer(&[], &ours), Offered::Full));
    // Dropped, it has sent them all the same.
    sender.close();
    drop((sender, ours));
    for (size, byte) in sizes.into_iter().zip(1..) {
        assert!(take(&mut receiver, &theirs).unwrap() == vec![byte; size]);
    }
    assert!(matches!(take(&mut receiver, &theirs), Err(Taken::End)));
}

/// In the middle of an item, and with acknowledgements under way.
#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn ends_take_along_what_they_have() {
    let (ours, theirs) = bells();
    let (mut sender, mut receiver) = ends(1000, &ours);
    let item = |number: u32| vec![number as u8; if number % 50 == 0 { 1_000_000 } else { 100 }];
    let (mut next, mut has_waited) = (0, false);
    for number in 0..400 {
        assert!(matches!(sender.offer(&item(number), &ours), Offered::Sent));
        if number % 3 == 0 {
            let carried = sender.leave();
            has_waited |= !carried.bytes.is_empty();
            sender = SocketSender::new(1000, carried, &ours);
        }
        if number % 40 == 0 {
            let mut bytes = Vec::new();
            while matches!(receiver.take(&mut bytes, u64::MAX, &theirs), Taken::Item) {
                assert!(bytes == item(next), "{next}");
                next += 1;
                receiver = SocketReceiver::new(1000, receiver.leave());
            }
            receiver = SocketReceiver::new(1000, receiver.leave());
        }
    }
    assert!(has_waited, "some have waited for room");
    sender.leave();
    // It stays after all.
    sender.stay();
    for number in next..400 {
        assert!(take(&mut receiver, &theirs).unwrap() == item(number), "{number}");
    }
    assert_eq!(sender.look(&ours), Rung::News);
    let mut empty = Vec::new();
    assert!(matches!(receiver.take(&mut empty, u64::MAX, &theirs), Taken::Empty));
    sender.look(&ours);
    assert_eq!(sender.leave().count, 0, "all were received, and the sender knows");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_sender_that_leaves_writes_nothing_more() {
    let (ours, theirs) = bells();
    let (mut sender, mut receiver) = ends(9, &ours);
    assert!(matches!(sender.offer(&[7; 2 << 20], &ours), Offered::Sent));
    let carried = sender.leave();
    let mut bytes = Vec::new();
    // There is room now, and no thread that uses it.
    while !matches!(receiver.take(&mut bytes, u64::MAX, &theirs), Taken::Empty) || receiver.is_busy() {}
    let came = receiver.leave().bytes.len();
    assert_eq!(came + carried.bytes.len(), 8 + (2 << 20));
    assert_eq!(sender.leave().bytes, carried.bytes);
    let _arrived = SocketSender::new(9, carried, &ours);
    assert!(take(&mut receiver, &theirs).unwrap() == [7; 2 << 20]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn an_item_above_the_limit_takes_no_memory() {
    let (ours, theirs) = bells();
    let mut receiver = SocketReceiver::new(1, Carried::default());
    let mut item = Vec::new();
    write(&theirs, &[&header(100)[..], &[1; 100], &header(101), &[1; 101]].concat());
    assert!(matches!(receiver.take(&mut item, 100, &ours), Taken::Item));
    assert!(matches!(receiver.take(&mut item, 100, &ours), Taken::TooLong(101)));
    assert!(matches!(receiver.take(&mut item, 100, &ours), Taken::End), "where the next one begins is not known");
    // Below the limit, only what has come takes some.
    let mut receiver = SocketReceiver::new(1, Carried::default());
    write(&theirs, &[&header(1 << 40)[..], &[1; 50_000]].concat());
    assert!(matches!(receiver.take(&mut item, u64::MAX, &ours), Taken::Empty));
    assert!(receiver.leave().bytes.len() == 50_008 && receiver.room() <= 1 << 18, "{}", receiver.room());
    let mut receiver = SocketReceiver::new(1, Carried { count: 0, bytes: header(usize::MAX).to_vec() });
    assert!(matches!(receiver.take(&mut item, u64::MAX, &ours), Taken::TooLong(u64::MAX)));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_receiver_that_acknowledges_more_than_was_sent_ends_the_channel() {
    for bytes in [&[3][..], &[0], &[1, 0], &[1; 300]] {
        let (ours, theirs) = bells();
        let (mut sender, _) = ends(2, &ours);
        assert!(matches!(sender.offer(b"1", &ours), Offered::Sent));
        assert!(matches!(sender.offer(b"2", &ours), Offered::Sent));
        write(&theirs, bytes);
        assert!(matches!(sender.offer(b"3", &ours), Offered::Closed), "{bytes:?}");
    }
}

/// It reads no acknowledgement.
#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_sender_that_does_not_listen_holds_nothing_up() {
    let (ours, theirs) = bells();
    let mut receiver = SocketReceiver::new(1, Carried::default());
    let mut item = Vec::new();
    for round in 0..5000_u32 {
        write(&theirs, &[&header(4)[..], &round.to_le_bytes()].concat());
        assert!(matches!(receiver.take(&mut item, 100, &ours), Taken::Item));
        assert_eq!(item, round.to_le_bytes());
        assert!(matches!(receiver.take(&mut item, 100, &ours), Taken::Empty));
    }
    assert!(receiver.leave().count > 0, "there was no room for all acknowledgements");
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn the_memory_of_a_large_item_is_not_kept() {
    let (ours, theirs) = bells();
    let (mut sender, mut receiver) = ends(1, &theirs);
    assert!(matches!(sender.offer(&vec![1; 100 << 20], &theirs), Offered::Sent));
    assert!(take(&mut receiver, &ours).unwrap().len() == 100 << 20);
    assert!(matches!(receiver.take(&mut Vec::new(), 1, &ours), Taken::Empty));
    assert!(receiver.room() <= 1 << 20, "{}", receiver.room());
}

/// Or they would reset the connection, with items in it that were not received.
#[cfg(windows)]
#[test]
fn a_closed_sender_takes_acknowledgements_until_its_receiver_is_gone() {
    let (ours, theirs) = bells();
    let (mut sender, mut receiver) = ends(1000, &ours);
    for _ in 0..3 {
        assert!(matches!(sender.offer(b"item", &ours), Offered::Sent));
    }
    sender.close();
    drop((sender, ours));
    for _ in 0..3 {
        assert_eq!(take(&mut receiver, &theirs).unwrap(), b"item");
        write(&theirs, &[1]);
    }
    assert!(matches!(take(&mut receiver, &theirs), Err(Taken::End)));
    write(&theirs, &[1]);
}

//! An end of an item channel, with a hostile other end, which writes to their socket and to their memory.

use super::script::Script;
use crate::items::bell::SocketBell;
use crate::items::receive::{RingReceiver, Taken};
use crate::items::send::{Offered, RingSender};
use crate::items::socket::Carried;
use crate::items::socket::receive::SocketReceiver;
use crate::items::socket::send::SocketSender;
use crate::sys::fork_registry::TrackedFd;
use crate::sys::gifts::send_with;
use crate::sys::pairs;
use crate::sys::ring_memory::RingMemory;
use crate::sys::socket::{self, Blocking};
use crate::wire::items::entry::Entry;
use crate::wire::items::stream::header;
use rustix::io::pwrite;
use rustix::net::{RecvFlags, Shutdown};

/// The longest item that there may be.
const LONGEST: u64 = 1 << 16;
/// The words, and some rings.
const MEMORY: u64 = 1 << 19;

/// The script is the other end. The first byte says which end is ours, and the capacity.
#[doc(hidden)]
pub fn item_ends(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(options) = script.byte() else { return };
    let Ok((ours, theirs)) = pairs::pair_of_ends() else { return };
    let (bell, capacity) = (SocketBell::new(ours), u64::from(options >> 2));
    match options % 4 {
        0 => socket_sender(&mut script, &bell, &theirs, capacity),
        1 => socket_receiver(&mut script, &bell, &theirs, capacity),
        2 => ring_sender(&mut script, &bell, &theirs, capacity),
        _ => ring_receiver(&mut script, &bell, &theirs, capacity),
    }
    bell.shut_down();
}

/// What either end may find on its socket.
fn write(step: u8, script: &mut Script<'_>, theirs: &TrackedFd) {
    match step % 4 {
        0 => {
            let descriptors = script.descriptors();
            let bytes = script.bytes();
            if !bytes.is_empty() {
                let _ = send_with(theirs, bytes, &descriptors, Blocking::No);
            }
        }
        1 => {
            let item = script.bytes();
            let _ = socket::send(theirs, &[&header(item.len()), item].concat(), Blocking::No);
        }
        2 => drop(rustix::net::recv(theirs, &mut [0; 1 << 16], RecvFlags::DONTWAIT)),
        _ => match script.byte() {
            Some(0) => drop(rustix::net::shutdown(theirs, Shutdown::Both)),
            Some(1) => drop(rustix::net::shutdown(theirs, Shutdown::Write)),
            number => drop(socket::send(theirs, &[number.unwrap_or(0)], Blocking::No)),
        },
    }
}

/// What either end may find in its memory.
fn scribble(step: u8, script: &mut Script<'_>, memory: &RingMemory) {
    let position = |script: &mut Script<'_>| u64::from(script.byte().unwrap_or(0)) * 8;
    let (at, bytes) = match step % 4 {
        0 => (script.number() % MEMORY, script.bytes().to_vec()),
        // Near the words, and the beginning of the first ring.
        1 => (position(script) % 256, script.number().to_ne_bytes().to_vec()),
        2 => ((1 << 16) + position(script), script.number().to_ne_bytes().to_vec()),
        _ => {
            let entry = match script.byte().unwrap_or(0) {
                0 => Entry::Rewind,
                number @ 1..64 => Entry::Move(number.into()),
                _ => Entry::Item(script.number() % (2 * LONGEST)),
            };
            ((1 << 16) + position(script), entry.to_word().to_ne_bytes().to_vec())
        }
    };
    let _ = pwrite(memory.descriptor(), &bytes, at);
}

fn socket_sender(script: &mut Script<'_>, bell: &SocketBell, theirs: &TrackedFd, capacity: u64) {
    let mut sender = SocketSender::new(capacity, Carried::default(), bell);
    while let Some(step) = script.byte() {
        match step % 8 {
            4 | 5 => {
                if matches!(sender.offer(script.bytes(), bell), Offered::Closed) {
                    break;
                }
            }
            6 => _ = sender.look(bell),
            7 => {
                let carried = sender.leave();
                if step < 128 {
                    sender.stay();
                } else {
                    sender = SocketSender::new(capacity, carried, bell);
                }
            }
            step => write(step, script, theirs),
        }
    }
    sender.close();
}

fn socket_receiver(script: &mut Script<'_>, bell: &SocketBell, theirs: &TrackedFd, capacity: u64) {
    let carried = Carried { count: script.number(), bytes: script.bytes().to_vec() };
    let (mut receiver, mut item) = (SocketReceiver::new(capacity, carried), Vec::new());
    while let Some(step) = script.byte() {
        match step % 8 {
            4..=6 => match receiver.take(&mut item, LONGEST, bell) {
                Taken::Item => assert!(item.len() as u64 <= LONGEST),
                Taken::End => return,
                _ => {}
            },
            7 => receiver = SocketReceiver::new(capacity, receiver.leave()),
            step => write(step, script, theirs),
        }
    }
}

fn ring_sender(script: &mut Script<'_>, bell: &SocketBell, theirs: &TrackedFd, capacity: u64) {
    let Ok([ours, other]) = RingMemory::create() else { return };
    let Ok(mut sender) = RingSender::new(ours, capacity) else { return };
    while let Some(step) = script.byte() {
        match step % 16 {
            8..=10 => _ = sender.offer(script.bytes(), bell),
            11 => _ = sender.offer_asleep(script.bytes(), bell),
            12 => _ = bell.silence(),
            13 => {
                // It has moved.
                let Ok(ours) = other.descriptor().clone().into_owned().and_then(RingMemory::open) else { return };
                let Ok(moved) = RingSender::new(ours, capacity) else { return };
                sender = moved;
            }
            step @ 0..4 => write(step, script, theirs),
            step => scribble(step, script, &other),
        }
    }
}

fn ring_receiver(script: &mut Script<'_>, bell: &SocketBell, theirs: &TrackedFd, capacity: u64) {
    let Ok([ours, other]) = RingMemory::create() else { return };
    let Ok(mut receiver) = RingReceiver::new(ours, capacity) else { return };
    receiver.set_longest(LONGEST);
    let mut item = Vec::new();
    while let Some(step) = script.byte() {
        match step % 16 {
            8 | 9 => {
                if matches!(receiver.take(&mut item, bell), Taken::Item) {
                    assert!(item.len() as u64 <= LONGEST);
                }
            }
            10 => _ = receiver.take_asleep(&mut item, bell),
            11 => _ = receiver.take_small(&mut [0; 64], bell),
            12 => _ = bell.silence(),
            13 => {
                let Ok(ours) = other.descriptor().clone().into_owned().and_then(RingMemory::open) else { return };
                let Ok(moved) = RingReceiver::new(ours, capacity) else { return };
                receiver = moved;
                receiver.set_longest(LONGEST);
            }
            step @ 0..4 => write(step, script, theirs),
            step => scribble(step, script, &other),
        }
    }
}

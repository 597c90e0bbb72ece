//! What workers are given to do: good, bad and endless.

use crate::ledger::{begin, done};
use offproc::{Fd, SharedBytes};
use offproc_tests::job;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::time::{Duration, Instant};

/// A call's number, and what its job does.
pub(crate) type Job = (u32, Deed);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Nothing but to return the number.
    Short,
    /// Microseconds asleep.
    Sleep(u64),
    /// Microseconds at work.
    Compute(u64),
    /// So many bytes there and back.
    Bytes(usize),
    /// The same, lent and not copied.
    Shared(usize),
    /// An open file comes back.
    File,
    Panic,
    /// The argument cannot be sent.
    BadArgument,
    /// The result cannot be sent.
    BadResult,
    Crash(Crash),
    Endless(Endless),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Crash {
    Segv,
    Abort,
    Exit,
    Overflow,
    Kill,
    /// In the middle of the answer.
    MidAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Endless {
    Sleep,
    Spin,
    SpinDeaf,
    Stop,
}

/// Most of the deeds.
pub(crate) fn run((id, deed): Job) -> u32 {
    begin(id);
    match deed {
        Deed::Sleep(us) => std::thread::sleep(Duration::from_micros(us)),
        Deed::Compute(us) => {
            let end = Instant::now() + Duration::from_micros(us);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
        Deed::Panic => panic!("chaos"),
        Deed::Crash(crash) => crash_by(crash),
        Deed::Endless(endless) => never_return(endless),
        _ => {}
    }
    done(id);
    id
}

fn crash_by(crash: Crash) {
    match crash {
        // SAFETY: it is meant to be a fault, and the kernel makes it one: nothing is ever mapped there.
        Crash::Segv => unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
        Crash::Abort => std::process::abort(),
        Crash::Exit => job::end_at_once(42),
        Crash::Overflow => drop(std::hint::black_box(deeper(1))),
        Crash::Kill | Crash::MidAnswer => job::raise(libc::SIGKILL),
    }
}

#[expect(unconditional_recursion, reason = "it is to run out of stack")]
fn deeper(n: u64) -> [u64; 128] {
    let mut numbers = deeper(std::hint::black_box(n + 1));
    std::hint::black_box(&mut numbers)[0] += n;
    numbers
}

fn never_return(endless: Endless) -> ! {
    match endless {
        Endless::Sleep => {}
        Endless::Spin => job::spin(),
        Endless::SpinDeaf => {
            job::block_all_signals();
            job::spin()
        }
        // Nor would a lifeline that is a thread run: such a worker of a fork server stays.
        Endless::Stop if cfg!(offproc_portable) => {}
        Endless::Stop => job::raise(libc::SIGSTOP),
    }
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(crate) fn echo((id, bytes): (u32, Vec<u8>)) -> Vec<u8> {
    begin(id);
    done(id);
    bytes
}

pub(crate) fn echo_shared((id, bytes): (u32, SharedBytes)) -> (SharedBytes, SharedBytes) {
    begin(id);
    let copy = SharedBytes::copy_from_slice(&bytes).expect("memory");
    done(id);
    (bytes, copy)
}

pub(crate) fn open(id: u32) -> Fd<File> {
    begin(id);
    let file = File::open("/proc/self/comm").expect("it is always there");
    done(id);
    Fd(file)
}

/// What cannot be sent.
#[derive(Debug)]
pub(crate) struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("chaos"))
    }
}

impl<'de> Deserialize<'de> for Unspeakable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it never arrives"))
    }
}

pub(crate) fn take((id, _): (u32, Unspeakable)) {
    begin(id);
    done(id);
}

pub(crate) fn give(id: u32) -> Unspeakable {
    begin(id);
    done(id);
    Unspeakable
}

/// An answer of which the first part is written when the worker is killed.
#[derive(Debug)]
pub(crate) struct Half;

impl Serialize for Half {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        job::raise(libc::SIGKILL);
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Half {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it never arrives"))
    }
}

pub(crate) fn give_half(id: u32) -> (Vec<u8>, Half) {
    begin(id);
    done(id);
    (vec![7; 3000], Half)
}

//! The fuzzer's bytes as a script, and what its steps have in common.

use crate::error::Error;
use crate::job::codec;
use crate::job::fd::Fd;
use crate::job::message::Answer;
use crate::job::shared_bytes::SharedBytes;
use crate::parent::runtime::{PollSource, Readiness, Runtime, RuntimeId, RuntimeSelector};
use crate::sys::fork_registry::TrackedFd;
use crate::sys::gifts::send_with;
use crate::sys::image::Image;
use crate::sys::socket::Blocking;
use crate::wire::buffer;
use crate::wire::frame::{self, Kind};
use crate::wire::hello::Welcome;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create, open};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// Reads a script.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte, until the script is over.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of eight bytes, or of what is left.
    pub(super) fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        let taken = self.take(8);
        number[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(number)
    }

    /// Bytes after their length, or what is left of them.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let length = u16::from_le_bytes([self.byte().unwrap_or(0), self.byte().unwrap_or(0)]);
        self.take(length.into())
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Descriptors of all sorts: a count, and then which.
    pub(super) fn descriptors(&mut self) -> Vec<TrackedFd> {
        let count = self.byte().unwrap_or(0) & 7;
        let sorts = sorts();
        (0..count).map(|_| sorts[usize::from(self.byte().unwrap_or(0)) % sorts.len()].clone()).collect()
    }

    /// Sends raw bytes or a frame on a connection, with descriptors.
    pub(super) fn say(&mut self, socket: &TrackedFd) {
        let choice = self.byte().unwrap_or(0);
        let descriptors = self.descriptors();
        let mut message = frame::begin();
        let kind = match choice {
            0 => {
                message.clear();
                message.extend_from_slice(self.bytes());
                None
            }
            1 => {
                let welcome = Welcome { build: Image::current().build(), inherited_memory: 0 };
                codec::encode_to(&welcome, &mut message).expect("a number");
                Kind::from_byte(self.byte().unwrap_or(0))
            }
            kind => {
                message.extend_from_slice(self.bytes());
                Kind::from_byte(kind)
            }
        };
        if let Some(kind) = kind {
            frame::finish(kind, &mut message);
        }
        if !message.is_empty() {
            let _ = send_with(socket, &message, &descriptors, Blocking::No);
        }
        buffer::give(message);
    }
}

fn sorts() -> &'static [TrackedFd] {
    static SORTS: OnceLock<Vec<TrackedFd>> = OnceLock::new();
    SORTS.get_or_init(|| {
        let memory = |length: u64, seals: SealFlags| -> TrackedFd {
            let memory = memfd_create("fuzz", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memory");
            ftruncate(&memory, length).expect("memory");
            fcntl_add_seals(&memory, seals).expect("seals");
            memory.into()
        };
        vec![
            memory(64, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL),
            memory(5000, SealFlags::WRITE | SealFlags::SHRINK),
            memory(0, SealFlags::WRITE | SealFlags::SHRINK),
            memory(64, SealFlags::empty()),
            memory(64, SealFlags::WRITE),
            memory(1 << 16, SealFlags::SHRINK),
            open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).expect("/dev/null").into(),
            open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("a folder").into(),
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe").0.into(),
        ]
    })
}

/// A value of many shapes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Shape {
    Nothing,
    Numbers(u8, i16, u32, i64, u128, f64, char, bool),
    Texts(Vec<String>, BTreeMap<String, Option<Vec<u16>>>),
    Deeper(Box<Shape>),
    Wider(Vec<Shape>),
    Attached(Vec<Fd<OwnedFd>>, Vec<SharedBytes>),
}

/// Reads an answer as one type or another, and all that it contains.
pub(super) fn open_answer(answer: Answer, choice: u8) {
    let opened: Result<(), Error> = match choice % 4 {
        0 => answer.open::<Shape>().map(|shape| drop(format!("{shape:?}"))),
        1 => answer.open::<SharedBytes>().map(|bytes| {
            std::hint::black_box(bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
        }),
        2 => answer.open::<(Fd<OwnedFd>, SharedBytes, String)>().map(drop),
        _ => answer.open::<Vec<u8>>().map(drop),
    };
    if let Err(error) = opened {
        drop(error.to_string());
    }
}

/// A runtime whose descriptors are never ready: data are found without waiting.
#[derive(Debug)]
struct Still;

impl Runtime for Still {
    fn id(&self) -> RuntimeId {
        RuntimeId::new("still", 0)
    }

    fn watch(&self, _: PollSource) -> io::Result<Box<dyn Readiness>> {
        Ok(Box::new(Self))
    }
}

impl Readiness for Still {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn is_edge_triggered(&self) -> bool {
        false
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

pub(super) fn selector() -> RuntimeSelector {
    RuntimeSelector::new(Some(Arc::new(Still)), || &Still)
}

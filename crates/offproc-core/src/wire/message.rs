//! What is said in frames, beyond bytes.

use super::attachments::Incoming;
use super::codec;
use super::frame::{Frame, Kind};
use super::function::Place;
use super::writer::{Full, Writer};
use crate::error::{DecodeError, EncodeError, Error, PanicError};
use crate::worker::trampoline;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The worker's answer to [`Kind::Hello`], in [`Kind::Welcome`] and [`Kind::Ready`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) build: u128,
    /// The largest resident memory that the kernel counts for the worker, though it was another's: that of the program
    /// that has started it. In bytes; 0 for one that was forked.
    pub(crate) inherited_memory: u64,
}

/// Why a job, or the `init` function, has no result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Panicked { error: PanicError, dying: bool },
    Encode(String),
    Decode(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked { error, .. } => Self::Panicked(error),
            Failure::Encode(message) => Self::Encode(EncodeError(message)),
            Failure::Decode(message) => Self::Decode(DecodeError(message)),
        }
    }
}

/// The two places at the start of a job's body.
const PLACES: usize = 16;
/// In the first place, of which code takes up the lower bits: soft limits follow the places.
const IS_LIMITED: u64 = 1 << 63;

/// From when on a job is to come to its end; each is counted from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftLimits {
    /// How long it runs, by the wall clock.
    pub time: Option<Duration>,
    /// The CPU time of its process.
    pub cpu: Option<Duration>,
    /// The resident memory of its process, in bytes.
    pub memory: Option<u64>,
}

impl SoftLimits {
    const SIZE: usize = 24;
    const NONE: u64 = u64::MAX;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let nanoseconds = |time: Option<Duration>| time.and_then(|time| u64::try_from(time.as_nanos()).ok());
        let mut bytes = [0; Self::SIZE];
        let words = [nanoseconds(self.time), nanoseconds(self.cpu), self.memory];
        for (word, bytes) in words.into_iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.unwrap_or(Self::NONE).to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let word = |at: usize| {
            let word = u64::from_le_bytes(*bytes[at..].first_chunk().expect("8 bytes"));
            (word != Self::NONE).then_some(word)
        };
        Self { time: word(0).map(Duration::from_nanos), cpu: word(8).map(Duration::from_nanos), memory: word(16) }
    }
}

/// Writes the body of a job: a function, its argument, and the limits that it is told.
///
/// # Errors
///
/// In words: the argument cannot be serialised or is too large, or the function is not part of this executable.
pub(crate) fn write_job<A, R>(
    function: fn(A) -> R,
    argument: &A,
    soft: Option<&SoftLimits>,
    out: &mut Writer<'_>,
) -> Result<(), String>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    let trampoline: trampoline::Trampoline = trampoline::run::<A, R>;
    let (trampoline, function) = (Place::of(trampoline as usize)?, Place::of(function as usize)?);
    let full = |Full| "the context's `frame_limit` has no room for a job".to_owned();
    let mark = if soft.is_some() { IS_LIMITED } else { 0 };
    out.extend(&(trampoline.0 | mark).to_le_bytes()).map_err(full)?;
    out.extend(&function.0.to_le_bytes()).map_err(full)?;
    if let Some(soft) = soft {
        out.extend(&soft.to_bytes()).map_err(full)?;
    }
    codec::encode(argument, out)
}

/// The worker's view of a job's body.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) trampoline: Place,
    pub(crate) function: Place,
    pub(crate) soft: Option<SoftLimits>,
    pub(crate) argument: &'a [u8],
}

impl<'a> Job<'a> {
    /// `None`: the body is incomplete.
    pub(crate) fn open(body: &'a [u8]) -> Option<Self> {
        let (places, mut argument) = body.split_first_chunk::<PLACES>()?;
        let place = |at: usize| Some(u64::from_le_bytes(*places[at..].first_chunk()?));
        let (trampoline, function) = (place(0)?, Place(place(8)?));
        let mut soft = None;
        if trampoline & IS_LIMITED != 0 {
            let (limits, rest) = argument.split_first_chunk()?;
            soft = Some(SoftLimits::from_bytes(*limits));
            argument = rest;
        }
        Some(Self { trampoline: Place(trampoline & !IS_LIMITED), function, soft, argument })
    }
}

/// The answer of a worker to a request.
#[derive(Debug)]
pub struct Answer {
    frame: Frame,
    incoming: Incoming,
}

impl Answer {
    pub(crate) fn new(frame: Frame, incoming: Incoming) -> Self {
        Self { frame, incoming }
    }

    /// Unpacks the result.
    ///
    /// # Errors
    ///
    /// What the worker reported instead of a result, or [`Error::Decode`].
    pub fn open<R: DeserializeOwned>(mut self) -> Result<R, Error> {
        let body = self.frame.body();
        let result = match self.frame.kind {
            Kind::Done => {
                let result = self.incoming.while_receiving(|| codec::decode(body));
                return result.map_err(|message| Error::Decode(DecodeError(message)));
            }
            _ => codec::decode::<Failure>(body),
        };
        Err(result.map_or_else(|message| Error::Decode(DecodeError(message)), Error::from))
    }

    /// True when the worker dies of having given this answer (`panic = "abort"`).
    pub(crate) fn is_last(&self) -> bool {
        self.frame.kind == Kind::Failed
            && matches!(codec::decode(self.frame.body()), Ok(Failure::Panicked { dying: true, .. }))
    }
}

//! What is said in frames, beyond bytes.

use super::codec;
use super::frame::{self, Frame, HEADER, Kind};
use super::function::Place;
use crate::error::{DecodeError, EncodeError, Error, PanicError};
use crate::worker::trampoline;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The worker's answer to [`Kind::Hello`], in [`Kind::Welcome`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) build: u128,
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

/// A job on its way to a worker: one whole frame.
#[derive(Debug)]
pub struct Request {
    frame: Vec<u8>,
}

/// The two places at the start of a job's body.
const PLACES: usize = 16;

impl Request {
    /// Packs a call of `function` with `argument`; its frame may have a body of `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`]: the argument cannot be serialised or is too large, or the function is not part of this
    /// executable.
    pub fn new<A, R>(function: fn(A) -> R, argument: &A, limit: usize) -> Result<Self, Error>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let mut request = Self { frame: frame::begin() };
        let trampoline: trampoline::Trampoline = trampoline::run::<A, R>;
        let encoded = Place::of(trampoline as usize)
            .and_then(|trampoline| Ok((trampoline, Place::of(function as usize)?)))
            .and_then(|(trampoline, function)| {
                request.frame.extend_from_slice(&trampoline.0.to_le_bytes());
                request.frame.extend_from_slice(&function.0.to_le_bytes());
                codec::encode(argument, &mut request.frame, limit.saturating_add(HEADER))
            });
        match encoded {
            Ok(()) => {
                frame::finish(Kind::Job, &mut request.frame);
                Ok(request)
            }
            Err(message) => Err(Error::Encode(EncodeError(message))),
        }
    }

    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        super::buffer::give(std::mem::take(&mut self.frame));
    }
}

/// The worker's view of a job's body: trampoline, function, argument.
pub(crate) fn open_job(body: &[u8]) -> Option<(Place, Place, &[u8])> {
    let (places, argument) = body.split_first_chunk::<PLACES>()?;
    let place = |at: usize| Some(Place(u64::from_le_bytes(*places[at..].first_chunk()?)));
    Some((place(0)?, place(8)?, argument))
}

/// The answer of a worker to a request.
#[derive(Debug)]
pub struct Answer {
    frame: Frame,
}

impl Answer {
    pub(crate) fn new(frame: Frame) -> Self {
        Self { frame }
    }

    /// Unpacks the result.
    ///
    /// # Errors
    ///
    /// What the worker reported instead of a result, or [`Error::Decode`].
    pub fn open<R: DeserializeOwned>(self) -> Result<R, Error> {
        let body = self.frame.body();
        let result = match self.frame.kind {
            Kind::Done => return codec::decode(body).map_err(|message| Error::Decode(DecodeError(message))),
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

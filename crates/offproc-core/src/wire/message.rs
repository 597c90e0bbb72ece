//! What is said in frames, beyond bytes.

use super::attachments::Incoming;
use super::codec;
use super::frame::{Frame, Kind};
use super::function::Place;
use super::writer::{Full, Writer};
use crate::error::{DecodeError, EncodeError, Error, PanicError};
use crate::worker::trampoline;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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

/// Writes the body of a job: a function and its argument.
///
/// # Errors
///
/// In words: the argument cannot be serialised or is too large, or the function is not part of this executable.
pub(crate) fn write_job<A, R>(function: fn(A) -> R, argument: &A, out: &mut Writer<'_>) -> Result<(), String>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    let trampoline: trampoline::Trampoline = trampoline::run::<A, R>;
    let (trampoline, function) = (Place::of(trampoline as usize)?, Place::of(function as usize)?);
    let full = |Full| "the context's `frame_limit` has no room for a job".to_owned();
    out.extend(&trampoline.0.to_le_bytes()).map_err(full)?;
    out.extend(&function.0.to_le_bytes()).map_err(full)?;
    codec::encode(argument, out)
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

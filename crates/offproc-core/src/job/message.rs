//! What a job comes to: its answer.

use super::attachments::Incoming;
use super::codec;
use crate::error::{DecodeError, EncodeError, Error, PanicError};
use crate::wire::frame::{Frame, Kind};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Why a job, or the `init` function, has no result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Panicked { error: PanicError, then: AfterPanic },
    Encode(EncodeError),
    Decode(DecodeError),
}

impl Failure {
    /// Cuts what it says, where there was no room for all of it.
    pub(crate) fn shorten(&mut self, most: usize) {
        const MOST: usize = 4096;
        let cut = |text: &mut String| *text = text.chars().take(most.min(MOST)).collect();
        match self {
            Self::Panicked { error, .. } => {
                error.backtrace = None;
                cut(&mut error.message);
            }
            Self::Encode(EncodeError(text)) | Self::Decode(DecodeError(text)) => cut(text),
        }
    }
}

/// What a panic leads to, beside the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AfterPanic {
    /// The worker goes on as before.
    Nothing,
    /// It goes on without the state that the job had.
    LosesState,
    /// It dies (`panic = "abort"`).
    EndsWorker,
}

#[doc(hidden)]
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked { error, .. } => Self::Panicked(error),
            Failure::Encode(error) => Self::Encode(error),
            Failure::Decode(error) => Self::Decode(error),
        }
    }
}

/// An answer that the parent has no memory for becomes an answer that says so.
impl Frame {
    /// In place of `what`, of this many bytes.
    pub(crate) fn no_memory(what: &str, length: usize) -> Self {
        let reason = format!("there is no memory for {what} of {length} bytes");
        let mut body = Vec::new();
        let encoded = codec::encode_to(&Failure::Decode(DecodeError(reason)), &mut body);
        debug_assert!(encoded.is_ok(), "a text can always be encoded");
        Self::of_body(Kind::Failed, body)
    }

    /// The frame itself, unless there was no memory for it.
    pub(crate) fn or_no_memory(self, what: &str) -> Self {
        match self.lost() {
            Some(length) => Self::no_memory(what, length),
            None => self,
        }
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

    pub(super) fn into_parts(self) -> (Frame, Incoming) {
        (self.frame, self.incoming)
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
                return result.map_err(Error::Decode);
            }
            _ => codec::decode::<Failure>(body),
        };
        Err(result.map_or_else(Error::Decode, Error::from))
    }

    /// True if the job panicked.
    #[must_use]
    pub fn has_panicked(&self) -> bool {
        self.frame.kind == Kind::Failed && matches!(codec::decode(self.frame.body()), Ok(Failure::Panicked { .. }))
    }

    /// True if it is a result.
    pub(crate) fn is_result(&self) -> bool {
        self.frame.kind == Kind::Done
    }

    /// What follows for the worker after this answer.
    #[inline]
    pub(crate) fn after_panic(&self) -> AfterPanic {
        match self.frame.kind {
            Kind::Failed => match codec::decode(self.frame.body()) {
                Ok(Failure::Panicked { then, .. }) => then,
                _ => AfterPanic::Nothing,
            },
            Kind::LastItems => AfterPanic::EndsWorker,
            Kind::LastWithState => AfterPanic::LosesState,
            _ => AfterPanic::Nothing,
        }
    }
}

//! A function travels as its offset in the executable's code, which is the same in the worker, together with the offset
//! of the trampoline for its type.

use crate::error::{DecodeError, EncodeError};
use crate::sys::image::Image;
use serde::{Deserialize, Serialize};

/// The offset of a function in the executable's code, from the executable's load address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeOffset(pub(crate) u64);

impl CodeOffset {
    /// The offset of a function's address; an error if it is not in this executable.
    #[inline]
    pub(crate) fn of(address: usize) -> Result<Self, EncodeError> {
        Image::current().offset_of(address).map(Self).ok_or_else(not_ours)
    }

    /// The address in this process; an error if there is no code.
    pub(crate) fn address(self) -> Result<usize, DecodeError> {
        Image::current()
            .address_of(self.0)
            .ok_or_else(|| DecodeError(format!("offset {:#x} is not in the code of this worker's executable", self.0)))
    }
}

#[cold]
fn not_ours() -> EncodeError {
    EncodeError(
        "the function is not part of this program's executable (it comes from a shared library), so a worker could not \
         find it; call it through a function of your own"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests;

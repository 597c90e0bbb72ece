//! How a function travels: as its place in the executable's code, which is the same in the worker, and together with
//! the place of the trampoline made for its type.

use crate::sys::image::Image;
use serde::{Deserialize, Serialize};

/// A place in the executable's code, as an offset from where it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    /// The place of a function's address; an error, in words, when it is not in this executable.
    pub(crate) fn of(address: usize) -> Result<Self, String> {
        Image::current().offset_of(address).map(Self).ok_or_else(|| {
            "the function is not part of this program's executable (it comes from a shared library), so a worker \
             could not find it; call it through a function of your own"
                .to_owned()
        })
    }

    /// The address in this process; an error, in words, when there is no code.
    pub(crate) fn address(self) -> Result<usize, String> {
        Image::current()
            .address_of(self.0)
            .ok_or_else(|| format!("offset {:#x} is not in the code of this worker's executable", self.0))
    }
}

#[cfg(test)]
mod tests;

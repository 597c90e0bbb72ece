//! The executable that this process runs, and where in it a piece of code is. What reads it from memory is in the files
//! beside this one, one for each format.

use std::ops::Range;
use std::path::PathBuf;

/// The main program, as the system has loaded it.
#[derive(Debug, Default)]
pub(crate) struct Image {
    pub(super) base: usize,
    pub(super) code: Vec<Range<usize>>,
    /// In the order in which they are called, as far as they are known and needed.
    #[allow(dead_code, reason = "on some systems all of them have run before a worker begins")]
    pub(super) constructors: Vec<usize>,
    #[allow(dead_code, reason = "not every system has one")]
    pub(super) loader: Option<PathBuf>,
    /// Identifies the build: a fingerprint of what the linker has made of it and of samples of the code.
    pub(super) build: u128,
}

impl Image {
    /// The distance of a piece of code from the load address, the same in every process of this executable. `None`
    /// when the address is not in the executable's code: it belongs to a shared library.
    #[inline]
    pub(crate) fn offset_of(&self, address: usize) -> Option<u64> {
        self.has_code_at(address).then(|| (address - self.base) as u64)
    }

    /// The reverse of [`offset_of`](Self::offset_of), with the same check.
    pub(crate) fn address_of(&self, offset: u64) -> Option<usize> {
        let address = self.base.checked_add(usize::try_from(offset).ok()?)?;
        self.has_code_at(address).then_some(address)
    }

    #[inline]
    pub(crate) fn has_code_at(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    /// The distance of a variable of the executable's from the load address.
    pub(crate) fn distance_of<T>(&self, variable: &'static T) -> u64 {
        (std::ptr::from_ref(variable).addr().wrapping_sub(self.base)) as u64
    }

    pub(crate) fn build(&self) -> u128 {
        self.build
    }
}

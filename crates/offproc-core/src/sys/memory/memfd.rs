//! Memory as a file without a name, whose descriptor can be sent to another process: memfds.

use super::file_size_limit::without_xfsz;
use super::fork_registry::TrackedFd;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// `memfd_create`: a new file of this size, all zeroes, of which only touched pages cost memory, and which has these
/// seals. `more` makes further descriptors of it.
///
/// # Errors
///
/// The system has no such files, or forbids making or sealing them; the limit on the size of files is lower; no
/// descriptor is left.
pub(super) fn create<const N: usize>(
    name: &str,
    size: u64,
    seals: SealFlags,
    more: impl Fn(OwnedFd) -> io::Result<[OwnedFd; N]>,
) -> io::Result<[TrackedFd; N]> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = TrackedFd::open(|| {
        // Kernels before 6.3 do not know that it need not be executable.
        let file = memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create(name, flags))?;
        more(file)
    })?;
    let file = made.first().ok_or(io::ErrorKind::InvalidInput)?;
    without_xfsz(|| ftruncate(file, size))?;
    fcntl_add_seals(file, seals)?;
    must_have(file, seals)?;
    Ok(made)
}

/// `fcntl(F_GET_SEALS)`: checks that a file, ours or another's, has these seals.
pub(super) fn must_have(file: impl AsFd, seals: SealFlags) -> io::Result<()> {
    if fcntl_get_seals(file)?.contains(seals) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the memory is not sealed"))
    }
}

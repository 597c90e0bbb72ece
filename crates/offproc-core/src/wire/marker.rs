//! The variable in the environment that marks a new process as a worker, and names its parent.
//!
//! A program may contain offproc more than once: two versions, which two of its dependencies require. Each copy starts
//! workers of its own, and all copies in a worker find the same variable. So the format is the same in all versions:
//! the build of the executable as 32 hexadecimal digits (see `sys::image`), a hyphen, and the offset in the
//! executable of a variable of the copy, in hexadecimal.

use crate::sys::image::Image;

/// The name of the variable; alone it does not make a process a worker.
pub(crate) const MARKER: &str = "OFFPROC_WORKER";

/// The copy of offproc that a marker is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// This copy of offproc, or the first one to look.
    Us,
    /// Another one in this executable.
    AnotherCopy,
    /// Another executable.
    AnotherBuild,
}

// Its offset identifies this copy; the compiler may merge the code of copies.
static COPY: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// The value for workers of this copy.
pub(crate) fn ours() -> String {
    let image = Image::current();
    format!("{:032x}-{:x}", image.build(), image.distance_of(&COPY))
}

/// The copy that a value is for.
pub(crate) fn addressee(value: &str) -> Addressee {
    let (ours, theirs) = (ours(), value);
    match (ours.split_once('-'), theirs.split_once('-')) {
        _ if ours == theirs => Addressee::Us,
        (Some((our_build, _)), Some((build, copy))) if is_hex(build) && is_hex(copy) => {
            if our_build == build {
                Addressee::AnotherCopy
            } else {
                Addressee::AnotherBuild
            }
        }
        // Written by hand.
        _ => Addressee::Us,
    }
}

fn is_hex(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_for_one_copy_of_one_build() {
        let (build, copy) = ours().split_once('-').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((build.len(), addressee(&ours())), (32, Addressee::Us));
        assert_eq!(addressee(&format!("{build}-{copy}0")), Addressee::AnotherCopy);
        assert_eq!(addressee(&format!("{}-{copy}", "0".repeat(32))), Addressee::AnotherBuild);
        for by_hand in ["", "1", "yes-please", "-", &build] {
            assert_eq!(addressee(by_hand), Addressee::Us, "{by_hand}");
        }
    }
}

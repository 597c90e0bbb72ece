//! The stack of the calling thread: how deep it is, and whether there is room for more.

use super::calls;
use std::ops::Range;

/// Every thread has at least this much, whatever the system reports.
pub(crate) const LITTLE: usize = 64 << 10;
/// How much to leave at the end of a stack.
const LEFT: usize = 128 << 10;
/// How much to use of a stack whose end is not known.
const UNKNOWN: usize = 512 << 10;

/// An address in the caller's frame, or next to it.
#[inline]
pub(crate) fn here() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

/// Whether there is room for more, after what was used since `start`, an earlier [`here`] on the same stack.
pub(crate) fn has_room(start: usize) -> bool {
    thread_local! {
        static STACK: Option<Range<usize>> = of_this_thread();
    }
    let here = here();
    match STACK.try_with(Option::clone) {
        // A program may run on a stack that it has made itself.
        Ok(Some(stack)) if stack.contains(&here) => here - stack.start > LEFT,
        _ => start.saturating_sub(here) < UNKNOWN,
    }
}

/// Its lowest address, as far as it may grow, and its end.
pub(crate) fn of_this_thread() -> Option<Range<usize>> {
    calls::stack()
}

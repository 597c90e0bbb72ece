//! The stack of the calling thread: how deep it is, and whether there is room for more.
#![allow(unsafe_code)]

use std::ops::Range;

/// So much every thread has, whatever the system says of it.
pub(crate) const LITTLE: usize = 64 << 10;
/// What is to be left at the end of a stack.
const LEFT: usize = 128 << 10;
/// What may be used of a stack whose end is not known.
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

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
fn of_this_thread() -> Option<Range<usize>> {
    // SAFETY: an all-zeroes `pthread_attr_t` is valid memory for `pthread_getattr_np`, which initialises it, and is
    // destroyed where it did; the others only read from it, into variables of ours.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        let told = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (told == 0).then(|| start.addr()..start.addr() + size)
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
fn of_this_thread() -> Option<Range<usize>> {
    None
}

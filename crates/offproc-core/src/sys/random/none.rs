//! Random numbers after a fork: only a fork server's workers need others than it has drawn.

use std::hash::RandomState;

/// std counts its keys up by a number that differs in each fork.
pub(crate) fn reseed() {
    (0..std::process::id() % (1 << 14)).for_each(|_| drop(RandomState::new()));
}

//! Children that were workers of the program that this process ran before: there is no `exec` here.

use std::convert::Infallible;

pub(crate) fn children() -> Vec<Infallible> {
    Vec::new()
}

pub(crate) fn is_zombie(pid: Infallible) -> bool {
    match pid {}
}

pub(crate) fn reap(pid: Infallible) {
    match pid {}
}

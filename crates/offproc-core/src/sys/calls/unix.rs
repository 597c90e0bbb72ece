//! Calls that each system has in its own way.

pub(super) use super::kernel::{set_name, stack};
pub(super) use super::syscall::{atexit, select_one};

//! Calls that each system has in its own way.

pub(super) use super::win32::this::{atexit, select_one, set_name, stack};

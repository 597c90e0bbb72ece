//! The end of a context: closed, killed, or with the program.

pub(super) mod at_exit;
mod closing;
mod futures;
mod shutdown;

pub use futures::{Close, CloseWithin};
pub use shutdown::{Shutdown, shutdown};

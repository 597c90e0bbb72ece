//! A worker behind a command, in the program: a background task keeps the [link](crate::wire::link) to it. The worker's
//! channel is a socket pair, as with any worker on a stream; the task passes on what goes over that.

mod drive;
mod end;
mod listener;

pub(crate) use drive::drive;
pub(crate) use end::Link;
pub(crate) use listener::{Listener, Start};

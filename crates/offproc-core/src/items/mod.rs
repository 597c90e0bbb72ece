//! Item channels: what `offproc::channel` makes. Their ends may be in any two processes of a program and its workers.

pub(crate) mod bell;
mod bound;
pub(crate) mod channel;
mod end;
pub(crate) mod receive;
pub(crate) mod receiver;
pub(crate) mod send;
mod send_queue;
pub(crate) mod sender;
mod side;
pub(crate) mod small;
pub(crate) mod socket;
mod spin;
#[cfg(test)]
mod tests;

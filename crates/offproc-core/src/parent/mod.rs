//! The parent process: it starts workers, talks to them, kills and reaps them.

pub(crate) mod background;
pub(crate) mod channel;
pub(crate) mod handshake;
pub(crate) mod hello;
pub(crate) mod launch;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod lookout;
mod poll_list;
pub(crate) mod process;
pub(crate) mod reactor;
pub(crate) mod runtime;
mod standing;
mod start;
pub(crate) mod start_failure;
pub(crate) mod timer;
pub(crate) mod wait;
mod watchdog;
pub(crate) mod worker;
pub(crate) mod worker_type;

//! The worker's ends of channels: `worker_channel.rs` has their contract.

pub(crate) mod shm;
pub(crate) mod stream;
pub(crate) mod worker_channel;

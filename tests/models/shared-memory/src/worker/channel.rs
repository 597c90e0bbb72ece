//! The worker's end of a channel, as `offproc-core` has it.

#[path = "../../../../../crates/offproc-core/src/worker/channel/shm.rs"]
pub(crate) mod shm;
pub(crate) mod stream;
#[path = "../../../../../crates/offproc-core/src/worker/channel/worker_channel.rs"]
pub(crate) mod worker_channel;

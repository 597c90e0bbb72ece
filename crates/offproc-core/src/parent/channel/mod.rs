//! The parent's ends of channels: `parent_channel.rs` has their contract.

mod caller_spin;
pub(crate) mod event;
pub(crate) mod new_shm;
pub(crate) mod parent_channel;
pub(crate) mod registered;
pub(crate) mod shm;
pub(crate) mod stream;

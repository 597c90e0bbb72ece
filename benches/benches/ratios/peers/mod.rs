//! What ours is compared with: other ways to have a function called, and what the bare system can do.

pub(crate) mod play;
pub(crate) mod pools;
pub(crate) mod role;
pub(crate) mod shared_memory;
pub(crate) mod socket;
pub(crate) mod spinning;

//! What both processes agree on: frames and their bodies, and the layout of shared memory. `docs/wire-format.md` is its
//! page.

pub(crate) mod buffer;
pub(crate) mod fork_server;
pub(crate) mod frame;
pub(crate) mod hello;
pub(crate) mod items;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod marker;
pub(crate) mod shm;
pub(crate) mod writer;

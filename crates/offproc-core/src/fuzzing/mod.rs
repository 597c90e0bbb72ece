//! The fuzz targets: one function for each side of each connection, which plays the other side by a script,
//! one for the ends of item channels, and one for values.
//!
//! For `tests/fuzz` in the repository; not part of this crate's interface.

mod fork_server;
mod item_ends;
mod log_pipe;
mod parent_shared;
mod parent_stream;
mod script;
mod values;
mod worker_shared;
mod worker_stream;

pub use fork_server::fork_server;
pub use item_ends::item_ends;
pub use log_pipe::log_pipe;
pub use parent_shared::parent_shared;
pub use parent_stream::parent_stream;
pub use values::values;
pub use worker_shared::worker_shared;
pub use worker_stream::worker_stream;

//! What a fuzzer may do: one function for each side of each connection, which plays the other side by a script.
//!
//! For `tests/fuzz` in the repository; not part of what this crate offers.

mod fork_server;
mod parent_shared;
mod parent_stream;
mod script;
mod worker_shared;
mod worker_stream;

pub use fork_server::fork_server;
pub use parent_shared::parent_shared;
pub use parent_stream::parent_stream;
pub use worker_shared::worker_shared;
pub use worker_stream::worker_stream;

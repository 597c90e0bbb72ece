//! The fuzz targets: each side of each connection, with a hostile other side.
//!
//! Each is a plain function of bytes. `cargo test` runs them on the kept corpus and on a few thousand mutations of it;
//! `run.sh` runs them for as long as one likes, guided by coverage. What must hold is that they return: no panic, no
//! crash, no hang, and no memory beyond what has come.

use offproc_core::fuzzing::{fork_server, parent_shared, parent_stream, worker_shared, worker_stream};

/// A target's name, which is also that of its folder in `corpus`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("parent_stream", parent_stream),
    ("parent_shared", parent_shared),
    ("worker_stream", worker_stream),
    ("worker_shared", worker_shared),
    ("fork_server", fork_server),
];

#[cfg(test)]
mod tests;

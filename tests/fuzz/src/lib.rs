//! The fuzz targets: each side of each connection, with a hostile other side, and hostile values.
//!
//! Each is a plain function of bytes. The tests run them on the kept corpus and on a few thousand mutations of it;
//! `run.sh` runs them for as long as one likes, guided by coverage. What must hold is that they return: no panic, no
//! crash, no hang, and no memory beyond what has come. The functions are part of `offproc-core`, whose inside they
//! reach, under a `cfg` that nothing published has:
//! `RUSTFLAGS="--cfg offproc_fuzzing" cargo test -p offproc-fuzz`.

pub mod corpus;
#[cfg(offproc_fuzzing)]
mod log_pipe;

#[cfg(offproc_fuzzing)]
use log_pipe::log_pipe;
#[cfg(offproc_fuzzing)]
use offproc_core::fuzzing::{
    fork_server, item_ends, parent_shared, parent_stream, values, worker_shared, worker_stream,
};

/// A target's name, which is also that of its file in `corpus`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
#[cfg(offproc_fuzzing)]
pub const TARGETS: [Target; 8] = [
    ("parent_stream", parent_stream),
    ("parent_shared", parent_shared),
    ("worker_stream", worker_stream),
    ("worker_shared", worker_shared),
    ("fork_server", fork_server),
    ("log_pipe", log_pipe),
    ("item_ends", item_ends),
    ("values", values),
];

#[cfg(all(offproc_fuzzing, test))]
mod tests;

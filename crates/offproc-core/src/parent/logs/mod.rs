//! The logs of workers, if a context forwards them: read from a pipe for each worker, and delivered to the sink of the
//! job's call. This crate does not interpret records.

pub(crate) mod delivery;
pub(crate) mod open_pipes;
pub(crate) mod pipe;

//! What goes with jobs and answers.

pub(crate) mod attachments;
pub(crate) mod codec;
pub(crate) mod exchange;
pub(crate) mod message;

/// No job is a chunk.
pub(crate) mod chunk {
    pub(crate) fn most_bytes(limit: usize) -> usize {
        limit
    }
}

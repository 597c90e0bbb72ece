//! What both sides share of `offproc-core`.

pub(crate) mod frame;
pub(crate) mod shm;
pub(crate) mod writer;

/// Buffers are the allocator's.
pub(crate) mod buffer {
    pub(crate) fn take() -> Vec<u8> {
        Vec::new()
    }

    pub(crate) fn give(_buffer: Vec<u8>) {}
}

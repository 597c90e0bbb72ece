//! What can go wrong with a job: nothing.

#[derive(Debug)]
pub(crate) struct EncodeError(pub(crate) String);

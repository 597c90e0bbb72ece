//! What the tests ask Windows for.

pub mod handles;
pub(crate) mod job;

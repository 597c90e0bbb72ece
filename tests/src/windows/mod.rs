//! What the tests ask Windows for.

pub mod handles;
pub mod job;

//! A chunk: many items of a map in one job. The worker runs them one by one, and a panic or a value that cannot travel
//! is the failure of one item. Before each item it publishes the results so far, so that its death costs that item
//! alone.

mod answer;
mod fold;
mod layout;
mod run;
#[cfg(test)]
mod tests;
mod write;

pub use answer::{ChunkAnswer, ChunkOutcome};
pub(crate) use fold::{FoldFunctions, run_fold};
pub use layout::ChunkBounds;
pub(crate) use layout::most_bytes;
pub(crate) use run::{run, write_failure};
pub(crate) use write::write_items;

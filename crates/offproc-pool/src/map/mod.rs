//! A function over many items: `map`, and what it is made of.

mod fold;
mod items;
mod iter;
mod pipeline;
mod results;
mod run;
mod sizing;
mod stream;
mod token;

pub use fold::{Fold, Folded};
pub use items::{IntoItems, Items};
pub use iter::MapIter;
pub use sizing::Chunks;
pub use stream::{Map, map};

//! A function over many items: `map` and `map_with`, and what they are made of.

mod fold;
mod items;
mod iter;
mod pipeline;
mod results;
mod run;
mod sizing;
mod stream;
mod task;
mod token;
mod with_state;

pub use fold::{Fold, Folded};
pub use items::{IntoItems, Items};
pub use iter::MapIter;
pub use sizing::Chunks;
pub use stream::{Map, map};
pub use with_state::map_with;

#[path = "../../../../../crates/offproc-core/src/wire/items/entry.rs"]
pub(crate) mod entry;
#[path = "../../../../../crates/offproc-core/src/wire/items/words.rs"]
pub(crate) mod words;

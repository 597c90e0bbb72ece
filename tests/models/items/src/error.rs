#[path = "../../../../crates/offproc-core/src/error/context.rs"]
mod context;

pub(crate) use context::about;

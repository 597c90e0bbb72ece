//! Both ends, as `offproc-core` has them.

pub(crate) mod bell;
#[path = "../../../../crates/offproc-core/src/items/receive.rs"]
pub(crate) mod receive;
#[path = "../../../../crates/offproc-core/src/items/send.rs"]
pub(crate) mod send;

//! A job, as both processes see it: the function, its argument and result as bytes, and their attachments. Nothing here
//! reads from a channel or writes to one.

pub(crate) mod attachments;
pub(crate) mod body;
pub(crate) mod chunk;
pub(crate) mod code;
pub(crate) mod codec;
pub(crate) mod encoded;
pub(crate) mod exchange;
pub(crate) mod fd;
#[cfg(feature = "bytes")]
mod foreign_buffers;
pub(crate) mod function;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod message;
pub(crate) mod own;
mod plain;
pub(crate) mod reason;
mod shared_buffer;
pub(crate) mod shared_bytes;
#[cfg(feature = "bytemuck")]
pub(crate) mod shared_slice;
pub(crate) mod state;
pub(crate) mod trampoline;
pub(crate) mod transfer;

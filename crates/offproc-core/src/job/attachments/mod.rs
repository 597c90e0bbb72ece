//! The attachments of a message: descriptors, and references to shared buffers that both sides have mapped.
//!
//! A `Serialize` implementation has no access to a channel, so while a message is written or read, its attachments are
//! in a thread-local: [`Outgoing::while_sending`] and [`Incoming::while_receiving`] put them there.
//!
//! The life of a shared buffer, as a parent and its worker see it: the parent *sends* it with a job, with its
//! descriptor. From then on both have it: it is *cached*, and either side sends its id alone, with jobs and answers.
//! When the parent has dropped its last handle to it, or has too many buffers, it *evicts* the buffer, and says so to
//! the worker with the next job or, while the worker is idle, in shared memory.

mod ends;
mod incoming;
mod outgoing;
mod reference;
mod thread_scope;

pub(crate) use ends::{Leaving, settle_departed};
pub(crate) use incoming::{Incoming, borrow, detach, limit_of_incoming};
pub(crate) use outgoing::{Outgoing, attach, attach_end, is_attached, lend, limit_of_outgoing};
pub(crate) use reference::{Reference, refuse_descriptor};

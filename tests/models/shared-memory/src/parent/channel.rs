//! The parent's end of a channel, as `offproc-core` has it.

mod caller_spin;
#[path = "../../../../../crates/offproc-core/src/parent/channel/event.rs"]
pub(crate) mod event;
#[path = "../../../../../crates/offproc-core/src/parent/channel/parent_channel.rs"]
pub(crate) mod parent_channel;
mod registered;
#[path = "../../../../../crates/offproc-core/src/parent/channel/shm.rs"]
pub(crate) mod shm;
pub(crate) mod stream;

use parent_channel::{Encoded, ParentChannel};
use shm::ParentShm;

/// The channel as it is after the job of that number was submitted, by the words alone.
pub(crate) fn continue_from(channel: &mut ParentShm, seq: u32) {
    channel.seq = seq;
}

/// How many bytes the job has that was encoded.
pub(crate) fn length(job: &Encoded) -> usize {
    job.0
}

/// Hands over the job that was encoded: its number, and whether the worker is there.
pub(crate) fn submit(channel: &mut ParentShm, job: Encoded) -> (u32, bool) {
    channel.submit(job).expect("nothing goes with it");
    (channel.seq, !channel.left)
}

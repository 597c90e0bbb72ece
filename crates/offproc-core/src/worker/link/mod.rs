//! A worker behind a command, in the worker: it serves because the program's own command line says so. A thread of its
//! own keeps the [link](crate::wire::link): it passes on the stream of frames to the job loop, sends heartbeats, and
//! ends the process where the program is gone, has it killed, or has limited the job.

mod end;
mod hard_limits;
pub(crate) mod serve;
mod watch;

pub(crate) use end::WorkerLink;

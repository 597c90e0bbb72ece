//! A parent that reads the log of a worker.

use super::script::Script;
use crate::parent::logs::pipe::{Found, LogPipe};
use crate::settings::log_forwarding::{LogForwarder, LogForwarding};
use std::sync::Arc;

/// The script is what the worker writes to the pipe, piece by piece, each for a job of its own.
#[doc(hidden)]
pub fn log_pipe(data: &[u8], forwarder: Arc<dyn LogForwarder>) {
    let mut script = Script::new(data);
    let sink = forwarder.sink();
    let Ok((pipe, [theirs, dropped])) = LogPipe::new(&LogForwarding::new(forwarder)) else { return };
    let mut job = 0;
    while let Some(step) = script.byte() {
        job += u32::from(step & 1);
        pipe.set_sink(Some((job, Arc::clone(&sink))));
        let _ = rustix::io::write(&theirs, script.bytes());
        let _ = rustix::io::write(&dropped, &script.number().to_ne_bytes()[..usize::from(step & 8)]);
        assert_ne!(pipe.round(), Some(Found::Closed));
    }
    drop(theirs);
    assert_eq!(pipe.round(), Some(Found::Closed));
}

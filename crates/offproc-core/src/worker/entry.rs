//! The entry of a worker: which process becomes one, and which refuses.

use super::life::live;
use crate::job::codec;
use crate::role::{self, EXIT_REFUSED};
use crate::sys::fork::exit_at_once;
use crate::sys::image::is_in_executable;
use crate::sys::socket::Socket;
use crate::sys::{environment, executable, handover, signals, stderr, usage};
use crate::wire::frame::{self, Kind};
use crate::wire::marker::{self, Addressee, MARKER};
use std::io;

/// Serves and exits in a worker; returns in any other process. `before` runs only in a worker, before anything that the
/// program's code could observe.
///
/// In a shared library it does nothing: a worker would be another program's executable, which does not contain it.
pub(crate) fn enter(before: &mut dyn FnMut()) {
    if !is_in_executable() || !role::initialise() {
        return;
    }
    signals::note_ignored();
    executable::note_directory();
    let Some(value) = std::env::var_os(MARKER) else { return };
    let claimed = match marker::addressee(&value.to_string_lossy()) {
        // Its worker finds the marker, too, and enters by itself.
        Addressee::AnotherCopy => return,
        Addressee::AnotherBuild => Err(io::Error::other(
            "it is of another build than the program that started it, whose executable has been replaced while it ran",
        )),
        Addressee::Us => claim(),
    };
    environment::remove(MARKER);
    match claimed {
        Ok(control) => live(control.into(), usage::largest_resident(), before),
        Err(reason) => {
            if !handover::refuse(&refusal(&reason.to_string())) {
                stderr::say(format_args!(
                    "{MARKER} is set, but this process is not a worker: {reason}. The variable is offproc's own; unset \
                     it to run the program."
                ));
            }
            exit_at_once(EXIT_REFUSED);
        }
    }
}

pub(super) fn not_arranged(e: &io::Error) -> String {
    format!("its descriptors could not be moved ({e})")
}

/// The reason why this process is not its parent's worker, as a frame.
pub(super) fn refusal(reason: &str) -> Vec<u8> {
    let mut frame = frame::begin();
    let _ = codec::encode_to(reason, &mut frame);
    frame::finish(Kind::Refused, &mut frame);
    frame
}

/// Takes the private connection that the parent has handed over, if the system confirms that it is the parent's.
fn claim() -> io::Result<Socket> {
    if environment::is_privileged_start() {
        return Err(io::Error::other("a set-uid or otherwise privileged program never becomes a worker"));
    }
    handover::must_be_of_parent()?;
    // From here on a Ctrl+C must not end this process.
    signals::reset();
    handover::take().map_err(|e| io::Error::other(not_arranged(&e)))
}

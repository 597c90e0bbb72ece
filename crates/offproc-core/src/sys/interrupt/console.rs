//! What Ctrl+C does to a worker. There are no signals: what a signal would be asked for is refused, or has no effect.

use super::win32::console;

/// There are no signals to be ignored at the start.
pub(crate) fn note_ignored() {}

/// The signals that were ignored when the program started, a bit each.
pub(crate) fn ignored() -> u64 {
    0
}

/// `SetConsoleCtrlHandler`: a console sends Ctrl+C to all its processes; from here on it does not end this one.
pub(crate) fn reset() {
    // Without a console there is no Ctrl+C.
    let _ = console::ignore_ctrl_c(false);
}

/// There are no signals.
pub(crate) fn was_ignored(_signal: i32) -> bool {
    false
}

/// In a worker.
pub(crate) fn adopt(_ignored: u64) {
    reset();
}

/// The same with Ctrl+Break, the console's request to end.
pub(crate) fn ignore_termination() {
    let _ = console::ignore_ctrl_c(true);
}

/// A process is not reaped here.
pub(crate) fn keep_status_of_children() {}

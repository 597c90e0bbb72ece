//! Lines on stderr, without std's lock, which any thread may hold.

use super::thread;
use super::win32::console::{self, Standard};
use std::fmt;
use std::fs::File;
use std::io::Write;

/// Prints a line on stderr, as from offproc, in one piece.
pub(crate) fn say(text: impl fmt::Display) {
    write_to_stderr(format!("offproc: {text}\n").as_bytes());
}

/// `WriteFile`, until all is written, or as much as possible.
pub(crate) fn write_to_stderr(text: &[u8]) {
    let duplicate = console::standard(Standard::Error).and_then(|stderr| stderr.try_clone_to_owned().ok());
    if let Some(mut stderr) = duplicate.map(File::from) {
        let _ = stderr.write_all(text);
    }
}

/// Writes a line to stderr, from a thread of its own, as its reader may be slow. If no thread can be started, the line
/// is lost.
pub fn warn(mut line: String) {
    line.push('\n');
    let _ = thread::start("offproc-warning", None, move || write_to_stderr(line.as_bytes()));
}

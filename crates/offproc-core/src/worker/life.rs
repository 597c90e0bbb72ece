//! The life of a worker process, from stage to stage.

use super::control::Control;
use super::forking::fork_loop;
use super::handshake::handshake;
use super::job_loop::job_loop;
use super::stage::Stage;
use crate::items::socket::empty_all;
use crate::role::EXIT_REFUSED;
use crate::sys::fork::{exit_at_once, is_forked};
use crate::sys::{stderr, stdio};
use std::io;

/// Serves until the worker leaves, then exits through `exit` (a fork of the program itself: by `_exit`).
///
/// `inherited_memory`: see [`Welcome`](crate::wire::hello::Welcome). `before`: see [`enter`](super::entry::enter).
pub(super) fn live(control: Control, inherited_memory: u64, before: &mut dyn FnMut()) -> ! {
    let link = control.link.clone();
    let mut stage = handshake(control, inherited_memory, before);
    let code = loop {
        stage = match stage {
            Ok(Stage::Worker(ready)) => job_loop(*ready),
            Ok(Stage::ForkServer(ready)) => fork_loop(ready),
            // From here on this process is the new worker. It has closed what it inherited from the fork server.
            Ok(Stage::Forked(control)) => handshake(control.into(), 0, &mut || {}),
            Ok(Stage::Over(code)) => break code,
            // The program is gone.
            Err(e) if is_end(&e) => break EXIT_REFUSED,
            Err(e) => {
                stderr::say(format_args!("worker {} ends after a protocol error: {e}", std::process::id()));
                break EXIT_REFUSED;
            }
        };
    };
    empty_all();
    if let Some(link) = link.filter(|_| code == 0) {
        link.say_goodbye();
    }
    // `atexit` handlers wait for C's locks, and a thread that holds one now may hold it for ever.
    if !stdio::flush() || is_forked() {
        exit_at_once(code);
    }
    std::process::exit(code)
}

/// Whether the other end of the connection is closed.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

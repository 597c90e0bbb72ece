//! Workers that are forks.

pub(crate) mod fork_loop;

use super::entry::{not_arranged, refusal};
use super::life::live;
use crate::role::EXIT_REFUSED;
use crate::sys::backtrace::{self, Module};
use crate::sys::fork::exit_at_once;
use crate::sys::socket::{self, Blocking, Socket};
use crate::sys::spawn::close_all_but;
use crate::sys::{fd_numbers, lifeline, signals, standard, stdio};

pub(super) use fork_loop::fork_loop;

/// Serves and exits in a process that the program, or a fork server that has passed the credential check, has forked
/// for this, with these `modules` loaded.
pub(crate) fn enter_forked(control: Socket, modules: Vec<Module>) -> ! {
    signals::reset();
    backtrace::set_modules(modules);
    let arranged = fd_numbers::duplicate_high(&control).and_then(|high| {
        standard::restore_standard()?;
        stdio::forget_inherited();
        Ok(high)
    });
    match arranged {
        Ok(high) => {
            drop(control);
            // It has inherited all descriptors of the program, close-on-exec or not.
            lifeline::release();
            close_all_but(&high);
            live(high.into(), 0, &mut || {})
        }
        Err(e) => {
            let _ = socket::send(&control, &refusal(&not_arranged(&e)), Blocking::Yes);
            exit_at_once(EXIT_REFUSED)
        }
    }
}

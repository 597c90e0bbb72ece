//! Under `panic = "abort"` nothing can be caught, but the panic hook still runs first: it answers the job with the
//! panic, and then the process dies.
#![allow(unsafe_code)]

use super::port::Port;
use crate::error::PanicError;
use crate::wire::attachments::Outgoing;
use crate::wire::codec;
use crate::wire::frame::Kind;
use crate::wire::message::Failure;
use std::cell::Cell;
use std::ptr::NonNull;

thread_local! {
    static PORT: Cell<Option<NonNull<dyn Port>>> = const { Cell::new(None) };
}

/// Runs work that may panic and end the process; until it is done, [`speak`] uses the port.
pub(super) fn guard<T>(port: &mut (dyn Port + 'static), work: impl FnOnce(&mut (dyn Port + 'static)) -> T) -> T {
    if !cfg!(panic = "abort") {
        return work(port);
    }
    PORT.set(Some(NonNull::from(&mut *port)));
    let done = work(port);
    PORT.set(None);
    done
}

/// Answers the job under way with a panic; false when there is none. The process must end after it.
pub(super) fn speak(report: &PanicError) -> bool {
    let Some(mut port) = PORT.take() else { return false };
    // SAFETY: set by `guard`, whose borrow of the port is still there, further down on the stack of this thread. That
    // code may be in the middle of using it, but never goes on: the process aborts when the hook returns.
    let port = unsafe { port.as_mut() };
    super::serve::flush();
    let failure = Failure::Panicked { error: report.clone(), dying: true };
    let written = port.begin(usize::MAX).ok().and_then(|mut writer| {
        codec::encode(&failure, &mut writer).ok()?;
        Some(writer.written())
    });
    written.is_some_and(|written| port.answer(Kind::Failed, written, Outgoing::default()).is_ok())
}

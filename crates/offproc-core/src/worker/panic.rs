//! Panics in a worker: caught, and told with place and backtrace.

use crate::error::PanicError;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static REPORT: RefCell<Option<PanicError>> = const { RefCell::new(None) };
}

/// Installs the hook that writes a job's panic down instead of printing it. Panics of other threads go to the hook
/// that was there before, which prints them.
///
/// Under `panic = "abort"`, `last_words` is called with the report before the process dies; what it cannot tell the
/// parent is printed.
pub(crate) fn install(last_words: fn(&PanicError) -> bool) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            return before(info);
        }
        if REPORT.with_borrow(Option::is_some) {
            // The job caught one before, or this one ends the process (a panic while panicking): let it be seen.
            before(info);
        }
        let report = PanicError {
            message: message_of(info.payload()),
            location: info.location().map(ToString::to_string),
            backtrace: backtrace(),
        };
        if cfg!(panic = "abort") && !last_words(&report) {
            before(info);
        }
        REPORT.set(Some(report));
    }));
}

/// Runs `work`; a panic becomes an error.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, PanicError> {
    REPORT.set(None);
    GUARDED.set(true);
    // What a panic may have left half done is the job's own data (dropped) or the worker's globals, which a thread
    // pool would keep as well; the buffers of ours are thrown away after it.
    let caught = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    caught.map_err(|payload| {
        let report = REPORT.take().unwrap_or_else(|| PanicError {
            // `resume_unwind` calls no hook.
            message: message_of(&*payload),
            location: None,
            backtrace: None,
        });
        // A payload may panic when it is dropped.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        report
    })
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic whose payload is not text)")
        .to_owned()
}

fn backtrace() -> Option<String> {
    let backtrace = Backtrace::capture();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
}

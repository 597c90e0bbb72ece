//! Panics in a worker: caught, and reported with location and backtrace.

use crate::error::PanicError;
use crate::error::backtrace::Backtrace;
use crate::sys::stderr::say;
use crate::sys::{backtrace, environment};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

/// The panics since [`catch`] began.
struct Panics {
    /// The first one, until it was printed: the caller gets only the last one.
    first: Option<PanicError>,
    last: PanicError,
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANICS: RefCell<Option<Panics>> = const { RefCell::new(None) };
}

/// Reads from the environment which backtraces are wanted. Called again after code of the program that may set
/// variables.
pub(super) fn look_at_environment() {
    backtrace::set_wanted(environment::wants_backtrace());
}

/// Installs the hook that records a job's panic instead of printing it. Panics of other threads go to the hook that was
/// there before, which prints them.
///
/// Under `panic = "abort"`, it calls `report_before_abort` before the process dies, and prints the panic if that could
/// not send it.
pub(super) fn install(report_before_abort: fn(&PanicError) -> bool) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            return before(info);
        }
        let backtrace = Backtrace::take_if_wanted().map(Box::new);
        let location = info.location().map(ToString::to_string);
        let last = PanicError { message: message_of(info.payload()), location, backtrace };
        if cfg!(panic = "abort") {
            if !report_before_abort(&last) {
                print(&last);
            }
            return;
        }
        let ends_process = cannot_unwind(info);
        PANICS.with_borrow_mut(|panics| {
            *panics = Some(match panics.take() {
                None if !ends_process => Panics { first: Some(last.clone()), last },
                earlier => {
                    // The job has caught one before, and goes on; or this is a second one, while the first unwinds, and
                    // neither is reported anywhere but here.
                    let mut first = earlier.and_then(|panics| panics.first);
                    if ends_process {
                        first.take().iter().for_each(print);
                    }
                    print(&last);
                    Panics { first, last }
                }
            });
        });
    }));
}

/// Whether the process aborts when the hook returns: the panic left a destructor that ran for another one, or a
/// function that must not unwind. std has no other way to find out yet.
fn cannot_unwind(info: &PanicHookInfo<'_>) -> bool {
    format!("{info:?}").contains("can_unwind: false")
}

/// Without std's lock, and without looking up names, which takes long and much memory.
fn print(panic: &PanicError) {
    let at = panic.location.as_deref().unwrap_or("an unknown place");
    say(format_args!("worker {} panicked at {at}:\n{}", std::process::id(), panic.message));
}

/// Runs `work`; a panic becomes an error. They nest.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, PanicError> {
    PANICS.set(None);
    let was_guarded = GUARDED.replace(true);
    // A panic may leave the job's own data half changed (they are dropped), or the worker's globals, which a thread
    // pool would keep as well; offproc discards its own buffers after it.
    let caught = panic::catch_unwind(AssertUnwindSafe(work));
    let caught = caught.map_err(|payload| {
        let panics = PANICS.take();
        let error = panics.map_or_else(
            // `resume_unwind` calls no hook.
            || PanicError { message: message_of(&*payload), location: None, backtrace: None },
            |panics| panics.last,
        );
        // The payload's drop may panic, too.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
            if let Some(panics) = PANICS.take() {
                print(&panics.last);
            }
        }
        error
    });
    GUARDED.set(was_guarded);
    caught
}

/// Drops what the program has made. A panic of its `Drop` is printed, and ends there.
pub(super) fn drop_apart<T>(value: T) {
    if let Err(error) = catch(|| drop(value)) {
        print(&error);
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic whose payload is not text)")
        .to_owned()
}

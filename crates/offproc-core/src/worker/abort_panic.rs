//! Panics of a program that is built with `panic = "abort"`. A panic cannot be caught there, but the panic hook still
//! runs before the process dies. So:
//!
//! 1. [`guard`] leaves the channel where the hook finds it, for as long as code of the program runs.
//! 2. The code panics. The hook (`panic.rs`) describes the panic and calls [`report_before_abort`].
//! 3. That answers in the job's place: `Failed`, with the panic and the remark that the worker ends of it. Without a
//!    job, or where the answer cannot be sent, the hook prints the panic.
//! 4. The hook returns, and std aborts the process.
//! 5. The parent's `Worker` finds the remark in the answer (`Answer::after_panic`): the call gets `Error::Panicked`,
//!    and the worker is killed and not used again. Its end is not reported: it was the panic's.
#![allow(unsafe_code)]

use super::channel::worker_channel::WorkerChannel;
use super::panic;
use crate::error::PanicError;
use crate::job::attachments::Outgoing;
use crate::job::chunk::write_failure;
use crate::job::codec;
use crate::job::message::{AfterPanic, Failure};
use crate::sys::stdio;
use crate::wire::frame::Kind;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Once;

thread_local! {
    static CHANNEL: Cell<Option<NonNull<dyn WorkerChannel>>> = const { Cell::new(None) };
    // Of a chunk: where the entry of the item that runs begins in the answer.
    static ENTRY: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Installs the hook for panics, once in a process. A program that forks its workers installs it before the fork, as
/// this takes a lock that a thread which is not in the fork may hold.
pub(crate) fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::install(report_before_abort));
}

/// Runs `work`, whose panic ends the process; while it runs, [`report_before_abort`] may use the channel.
pub(super) fn guard<T>(
    channel: &mut (dyn WorkerChannel + 'static),
    work: impl FnOnce(&mut (dyn WorkerChannel + 'static)) -> T,
) -> T {
    if !cfg!(panic = "abort") {
        return work(channel);
    }
    CHANNEL.set(Some(NonNull::from(&mut *channel)));
    let done = work(channel);
    CHANNEL.set(None);
    done
}

/// Runs an item of a chunk within `guard`: a panic becomes its entry in the answer, which begins at this byte.
pub(super) fn guard_item<T>(entry: usize, item: impl FnOnce() -> T) -> T {
    if !cfg!(panic = "abort") {
        return item();
    }
    ENTRY.set(Some(entry));
    let done = item();
    ENTRY.set(None);
    done
}

/// Answers the current job with a panic; false if there is no job. The process must end after it.
fn report_before_abort(report: &PanicError) -> bool {
    let Some(mut channel) = CHANNEL.take() else { return false };
    // SAFETY: set by `guard`, whose borrow of the channel is still there, further down on the stack of this thread.
    // That code may be in the middle of using it, but never goes on: the process aborts when the hook returns.
    let channel = unsafe { channel.as_mut() };
    stdio::flush();
    let failure = Failure::Panicked { error: report.clone(), then: AfterPanic::EndsWorker };
    let (kind, written) = match ENTRY.take() {
        None => {
            let writer = channel.begin(usize::MAX);
            let written = writer.ok().and_then(|mut writer| {
                codec::encode(&failure, &mut writer).ok()?;
                Some(writer.written())
            });
            (Kind::Failed, written)
        }
        Some(entry) => {
            let writer = channel.resume(entry, usize::MAX);
            let written = writer.ok().and_then(|mut writer| write_failure(failure, usize::MAX, &mut writer).ok());
            (Kind::LastItems, written)
        }
    };
    written.is_some_and(|written| channel.answer(kind, written, &Outgoing::default()).is_ok())
}

//! The life of a worker: it sets itself up, runs jobs one after the other, and leaves.

use super::entry::{self, REFUSED};
use super::port::{Next, Port};
use super::retirement::Retiree;
use super::{fork_server, panic, surroundings, trampoline};
use crate::error::PanicError;
use crate::sys::descriptors::duplicate_high;
use crate::sys::image::Image;
use crate::sys::{lifeline, signals};
use crate::wire::frame::{self, Frame, Kind};
use crate::wire::function::Place;
use crate::wire::hello::{Hello, Role, Service};
use crate::wire::message::{Failure, Welcome, open_job};
use crate::wire::{buffer, codec};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The largest first frame a worker takes; what it then may take, that frame says.
pub(super) const HELLO_LIMIT: usize = 16 << 20;

/// The connection is here, and not in a local, so that the panic hook reaches it before an abort. It is locked only
/// while frames pass, never while a job runs.
static PORT: Mutex<Option<Port>> = Mutex::new(None);

/// Serves until the parent has no more need, then exits through `exit` (a fork of the program itself: at once).
pub(super) fn serve(port: Port, before: impl FnOnce()) -> ! {
    let mut code = introduce(port, before);
    // A fork server goes through this once as itself, and once more in each worker it forks.
    while let End::Forked(control) = code {
        // The helper's own connection is closed with this.
        code = introduce(Port::new(control, HELLO_LIMIT), || {});
    }
    let End::Exit(code) = code else { unreachable!("the loop above") };
    if entry::is_forked() {
        flush();
        crate::sys::fork::exit_at_once(code);
    }
    std::process::exit(code)
}

/// How serving ends.
enum End {
    Exit(i32),
    /// In a new process, which goes on with this connection.
    Forked(OwnedFd),
}

fn introduce(mut port: Port, before: impl FnOnce()) -> End {
    match set_up(&mut port, before) {
        Ok(Some((hello, descriptors))) => {
            *lock() = Some(port);
            static HOOK: Once = Once::new();
            HOOK.call_once(|| panic::install(last_words));
            live(&hello, descriptors)
        }
        Ok(None) => End::Exit(0),
        Err(reason) => {
            let _ = send(&port, Kind::Refused, |out| codec::encode(&reason, out, usize::MAX));
            End::Exit(REFUSED)
        }
    }
}

/// Learns how to serve. `None` when the parent has changed its mind.
fn set_up(port: &mut Port, before: impl FnOnce()) -> Result<Option<(Hello, Vec<OwnedFd>)>, String> {
    let (first, descriptors) = port.first().map_err(|e| e.to_string())?;
    let Some(first) = first else { return Ok(None) };
    let mut descriptors = descriptors.into_iter();
    let line = descriptors.next().ok_or("the parent sent no lifeline")?;
    let line = duplicate_high(line).map_err(|e| format!("the lifeline could not be moved: {e}"))?;
    lifeline::hold(line).map_err(|e| format!("the lifeline could not be held: {e}"))?;
    let hello: Hello = match first.kind {
        Kind::Hello => codec::decode(first.body()).map_err(|e| format!("the parent's first message: {e}"))?,
        kind => return Err(format!("the parent's first message is {kind:?}")),
    };
    let build = Image::current().build();
    if hello.build != build {
        return Err(format!(
            "the worker is of another build of the program (worker {build:032x}, parent {:032x})",
            hello.build
        ));
    }
    // `ps`, `top` and `/proc/*/comm` show it.
    let _ = rustix::thread::set_name(match hello.role {
        Role::Worker(_) => c"offproc-worker",
        Role::ForkServer { .. } => c"offproc-forker",
    });
    port.set_limit(usize::try_from(hello.frame_limit).unwrap_or(usize::MAX).saturating_add(frame::HEADER));
    entry::set_depth(hello.depth);
    surroundings::apply(&hello.surroundings)?;
    before();
    Ok(Some((hello, descriptors.collect())))
}

/// From the welcome to the end.
fn live(hello: &Hello, descriptors: Vec<OwnedFd>) -> End {
    if !say(Kind::Welcome, |out| codec::encode(&Welcome { build: Image::current().build() }, out, usize::MAX)) {
        return End::Exit(REFUSED);
    }
    let prepare = match &hello.role {
        Role::Worker(service) => service.init,
        Role::ForkServer { preload } => *preload,
    };
    if let Err(failure) = prepare.map_or(Ok(()), run_once) {
        flush();
        say(Kind::Failed, |out| codec::encode(&failure, out, usize::MAX));
        return End::Exit(1);
    }
    if !say(Kind::Ready, |_| Ok(())) {
        return End::Exit(REFUSED);
    }
    match &hello.role {
        Role::Worker(service) => {
            let limit = usize::try_from(hello.frame_limit).unwrap_or(usize::MAX).saturating_add(frame::HEADER);
            End::Exit(work(service, limit))
        }
        Role::ForkServer { .. } => {
            let Some(requests) = descriptors.into_iter().next() else { return End::Exit(REFUSED) };
            match duplicate_high(requests).map_err(|e| e.to_string()).and_then(fork_server::run) {
                Ok(None) => End::Exit(0),
                Ok(Some(control)) => {
                    signals::reset();
                    End::Forked(control)
                }
                Err(reason) => {
                    eprintln!("offproc: the fork server {} ends: {reason}", std::process::id());
                    End::Exit(REFUSED)
                }
            }
        }
    }
}

/// Runs jobs; returns the exit code.
fn work(service: &Service, limit: usize) -> i32 {
    let mut retiree = Retiree::new(&service.retirement);
    loop {
        // The lock is not held while a job runs.
        let next = match lock().as_mut() {
            Some(port) => port.next(service.idle_timeout),
            None => return REFUSED,
        };
        match next {
            Ok(Next::Frame(frame)) if frame.kind == Kind::Job => {
                if !answer(&frame, limit) {
                    return REFUSED;
                }
                drop(frame);
                if service.retirement.is_possible() {
                    let leave = retiree.is_due().unwrap_or_else(|reason| {
                        eprintln!("offproc: worker {} ends: {reason}", std::process::id());
                        std::process::exit(1)
                    });
                    flush();
                    if !say(if leave { Kind::Leaves } else { Kind::Stays }, |_| Ok(())) {
                        return REFUSED;
                    }
                    if leave {
                        return 0;
                    }
                }
            }
            Ok(Next::Idle) => {
                say(Kind::Leaves, |_| Ok(()));
                return 0;
            }
            Ok(Next::Closed) => return 0,
            Ok(Next::Frame(frame)) => {
                eprintln!("offproc: worker {} got an unexpected {frame:?}", std::process::id());
                return REFUSED;
            }
            Err(e) => {
                eprintln!("offproc: worker {} lost its parent: {e}", std::process::id());
                return REFUSED;
            }
        }
    }
}

fn run_once(place: Place) -> Result<(), Failure> {
    let function = trampoline::init(place).map_err(Failure::Decode)?;
    panic::catch(function).map_err(|error| Failure::Panicked { error, dying: true })
}

/// Runs a job and sends its answer; false when the parent cannot be reached.
fn answer(job: &Frame, limit: usize) -> bool {
    let mut out = frame::begin();
    let outcome = match open_job(job.body()) {
        Some((trampoline, function, argument)) => {
            panic::catch(|| trampoline::call(trampoline, function, argument, &mut out, limit))
                .unwrap_or_else(|error| Err(Failure::Panicked { error, dying: false }))
        }
        None => Err(Failure::Decode("the job is incomplete".to_owned())),
    };
    flush();
    let kind = match outcome {
        Ok(()) => Kind::Done,
        Err(failure) => {
            out.truncate(frame::HEADER);
            encode_failure(failure, &mut out, limit);
            Kind::Failed
        }
    };
    let sent = lock().as_ref().is_some_and(|port| port.send(kind, &mut out).is_ok());
    buffer::give(out);
    sent
}

/// A failure always gets through: what is too long for a frame is cut.
fn encode_failure(mut failure: Failure, out: &mut Vec<u8>, limit: usize) {
    if codec::encode(&failure, out, limit).is_err() {
        out.truncate(frame::HEADER);
        match &mut failure {
            Failure::Panicked { error, .. } => {
                error.backtrace = None;
                error.message = error.message.chars().take(limit / 8).collect();
            }
            Failure::Encode(text) | Failure::Decode(text) => *text = text.chars().take(limit / 8).collect(),
        }
        let _ = codec::encode(&failure, out, usize::MAX);
    }
}

/// What a job printed is out before its caller goes on, even if the worker is killed next.
fn flush() {
    let _ = io::stdout().flush();
}

/// Under `panic = "abort"`: the panic is reported as if it had been caught, then the process dies.
fn last_words(report: &PanicError) {
    flush();
    let failure = Failure::Panicked { error: report.clone(), dying: true };
    if let Some(port) = lock().as_ref() {
        let _ = send(port, Kind::Failed, |out| codec::encode(&failure, out, usize::MAX));
    }
}

fn say(kind: Kind, body: impl Fn(&mut Vec<u8>) -> Result<(), String>) -> bool {
    lock().as_ref().is_some_and(|port| send(port, kind, body).is_ok())
}

fn send(port: &Port, kind: Kind, body: impl Fn(&mut Vec<u8>) -> Result<(), String>) -> io::Result<()> {
    let mut out = frame::begin();
    body(&mut out).map_err(io::Error::other)?;
    let sent = port.send(kind, &mut out);
    buffer::give(out);
    sent
}

fn lock() -> MutexGuard<'static, Option<Port>> {
    PORT.lock().unwrap_or_else(PoisonError::into_inner)
}

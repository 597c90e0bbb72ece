//! The life of a worker: it sets itself up, runs jobs one after the other, and leaves.

use super::entry::{self, REFUSED};
use super::port::{Next, Port};
use super::retirement::Retiree;
use super::shared_port::SharedPort;
use super::stream_port::StreamPort;
use super::trampoline::Exchange;
use super::{fork_server, last_words, panic, stop, surroundings, trampoline};
use crate::sys::descriptors::duplicate_high;
use crate::sys::fork::{Alone, claim_connection, exit_at_once, is_forked};
use crate::sys::image::Image;
use crate::sys::process::Extent;
use crate::sys::shared_memory::SharedMemory;
use crate::sys::{cpu, lifeline, signals};
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::codec;
use crate::wire::frame::{HEADER, Kind};
use crate::wire::function::Place;
use crate::wire::hello::{Hello, Role, Service};
use crate::wire::message::{Failure, Welcome};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Once;
use std::time::Duration;

/// The largest first frame a worker takes; what it then may take, that frame says.
const HELLO_LIMIT: usize = 16 << 20;

/// Serves until the parent has no more need, then exits through `exit` (a fork of the program itself: at once).
///
/// `inherited_memory`: see [`Welcome`].
pub(super) fn serve(control: OwnedFd, inherited_memory: u64, before: impl FnOnce()) -> ! {
    let mut end = introduce(control, inherited_memory, before);
    // A fork server goes through this once as itself, and once more in each worker it forks.
    let code = loop {
        match end {
            Ok(End::Leave) => break 0,
            // Its connection is closed by now, and this process goes on with another.
            Ok(End::Forked(control)) => end = introduce(control, 0, || {}),
            Ok(End::Failed(code)) => break code,
            Err(e) => {
                eprintln!("offproc: worker {} lost its parent: {e}", std::process::id());
                break REFUSED;
            }
        }
    };
    if is_forked() {
        flush();
        exit_at_once(code);
    }
    std::process::exit(code)
}

/// How serving ends.
enum End {
    Leave,
    Failed(i32),
    /// In a new process, which goes on with this connection.
    Forked(OwnedFd),
}

/// From the first word to the last.
fn introduce(control: OwnedFd, inherited_memory: u64, before: impl FnOnce()) -> io::Result<End> {
    let welcome = Welcome { build: Image::current().build(), inherited_memory };
    claim_connection();
    let mut port = StreamPort::new(control, HELLO_LIMIT);
    let (hello, descriptors) = match set_up(&mut port, before) {
        Ok(Some(set_up)) => set_up,
        // Nothing has been done here that would call for work at exit.
        Ok(None) => exit_at_once(0),
        Err(reason) => return refuse(&mut port, &reason),
    };
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::install(last_words::speak));
    let prepare = match &hello.role {
        Role::Worker(service) => service.init,
        Role::ForkServer { preload, .. } => *preload,
    };
    if let Some(prepare) = prepare {
        port.send(Kind::Welcome, &welcome)?;
        if let Err(failure) = run_once(prepare, &mut port) {
            return fail(&mut port, &failure);
        }
    }
    match hello.role {
        Role::Worker(service) => {
            let limit = usize::try_from(hello.frame_limit).unwrap_or(usize::MAX);
            // All that offproc opens is open by now: a sandbox may forbid to open anything.
            let memory = match share(&service, descriptors) {
                Ok(memory) => memory,
                Err(e) => return refuse(&mut port, &format!("the shared memory could not be mapped: {e}")),
            };
            if let Some(sandbox) = service.sandbox {
                // Its first use may read `/proc/self/auxv`.
                let _ = cpu::current();
                port.send(Kind::Sandboxes, &())?;
                if let Err(failure) = run_once(sandbox, &mut port) {
                    return fail(&mut port, &failure);
                }
            }
            port.send(Kind::Ready, &welcome)?;
            match memory {
                Some((memory, bell, spin)) => work(&service, &mut SharedPort::new(memory, bell, port, spin), limit),
                None => work(&service, &mut port, limit),
            }
        }
        Role::ForkServer { kill_tree, .. } => {
            let alone = match Alone::check() {
                Ok(alone) => alone,
                Err(threads) => {
                    return refuse(
                        &mut port,
                        &format!(
                            "a fork server must have one thread, and this one has {threads}: `preload`, or a \
                             constructor of the program, has started some"
                        ),
                    );
                }
            };
            // Whatever `preload` has done, here and not in each worker.
            signals::reset();
            signals::ignore(libc::SIGTERM);
            port.send(Kind::Ready, &welcome)?;
            let requests = descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidInput)?;
            match fork_server::run(&alone, duplicate_high(requests)?, Extent::of(kill_tree)) {
                Ok(None) => Ok(End::Leave),
                Ok(Some(control)) => {
                    signals::set_default(libc::SIGTERM);
                    Ok(End::Forked(duplicate_high(control)?))
                }
                Err(reason) => Err(io::Error::other(reason)),
            }
        }
    }
}

fn refuse(port: &mut StreamPort, reason: &str) -> io::Result<End> {
    port.send(Kind::Refused, &reason)?;
    Ok(End::Failed(REFUSED))
}

fn fail(port: &mut StreamPort, failure: &Failure) -> io::Result<End> {
    flush();
    port.send(Kind::Failed, failure)?;
    Ok(End::Failed(1))
}

/// Learns how to serve. `None` when the parent has changed its mind.
fn set_up(port: &mut StreamPort, before: impl FnOnce()) -> Result<Option<(Hello, Vec<OwnedFd>)>, String> {
    let (first, descriptors) = port.first().map_err(|e| e.to_string())?;
    let Some(first) = first else { return Ok(None) };
    let mut descriptors = descriptors.into_iter();
    let line = descriptors.next().ok_or("the parent sent no lifeline")?;
    let line = duplicate_high(line).map_err(|e| format!("the lifeline could not be moved: {e}"))?;
    match lifeline::hold(line) {
        // Its start was given up before anybody knew which process to kill.
        Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => return Ok(None),
        held => held.map_err(|e| format!("the lifeline could not be held: {e}"))?,
    }
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
    if matches!(&hello.role, Role::Worker(service) if service.has_stderr) {
        let stderr = descriptors.next().ok_or("the parent sent no stderr")?;
        rustix::stdio::dup2_stderr(stderr).map_err(|e| format!("its stderr: {e}"))?;
    }
    // `ps`, `top` and `/proc/*/comm` show it.
    let _ = rustix::thread::set_name(match hello.role {
        Role::Worker(_) => c"offproc-worker",
        Role::ForkServer { .. } => c"offproc-forker",
    });
    port.set_limit(usize::try_from(hello.frame_limit).unwrap_or(usize::MAX).saturating_add(HEADER));
    entry::set_depth(hello.depth);
    surroundings::apply(&hello.surroundings)?;
    before();
    Ok(Some((hello, descriptors.collect())))
}

/// Opens what the parent shares, where it does; with it goes how long to look for a job.
fn share(service: &Service, descriptors: Vec<OwnedFd>) -> io::Result<Option<(SharedMemory, OwnedFd, Duration)>> {
    let Some(spin) = service.shared_memory else { return Ok(None) };
    let mut descriptors = descriptors.into_iter();
    let (Some(memory), Some(bell)) = (descriptors.next(), descriptors.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok(Some((SharedMemory::open(duplicate_high(memory)?)?, duplicate_high(bell)?, spin)))
}

/// How long a new worker waits for its first job, at least.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// Runs jobs.
fn work(service: &Service, port: &mut (dyn Port + 'static), limit: usize) -> io::Result<End> {
    stop::forget();
    let mut retiree = Retiree::new(&service.retirement);
    let mut incoming = Incoming::default();
    // A new worker was started for a job, which is on its way.
    let mut patience = service.idle_timeout.map(|timeout| timeout.max(FIRST_PATIENCE));
    loop {
        match port.next(std::mem::replace(&mut patience, service.idle_timeout), &mut incoming)? {
            Next::Job(body) => answer(body, port, &mut incoming, limit)?,
            Next::Closed | Next::Idle => return Ok(End::Leave),
        }
        if service.retirement.is_possible() {
            let leaves = match retiree.is_due() {
                Ok(leaves) => leaves,
                Err(reason) => {
                    eprintln!("offproc: worker {} ends: {reason}", std::process::id());
                    return Ok(End::Failed(1));
                }
            };
            flush();
            port.tell(!leaves)?;
            if leaves {
                return Ok(End::Leave);
            }
        }
    }
}

fn run_once(place: Place, port: &mut StreamPort) -> Result<(), Failure> {
    let function = trampoline::init(place).map_err(Failure::Decode)?;
    last_words::guard(port, |_| panic::catch(function)).map_err(|error| Failure::Panicked { error, dying: true })
}

/// Runs a job and sends its answer.
fn answer(body: *const [u8], port: &mut (dyn Port + 'static), incoming: &mut Incoming, limit: usize) -> io::Result<()> {
    let mut outgoing = Outgoing::default();
    let outcome = last_words::guard(port, |port| {
        let mut exchange = Exchange { port, incoming, outgoing: Outgoing::default(), limit };
        let outcome = panic::catch(|| trampoline::call(body, &mut exchange));
        outgoing = exchange.outgoing;
        outcome
    });
    flush();
    match outcome.unwrap_or_else(|error| Err(Failure::Panicked { error, dying: false })) {
        Ok(written) => port.answer(Kind::Done, written, outgoing),
        Err(failure) => {
            let written = encode_failure(failure, port, limit)?;
            port.answer(Kind::Failed, written, Outgoing::default())
        }
    }
}

/// A failure always gets through: what is too long for a frame is cut.
fn encode_failure(mut failure: Failure, port: &mut dyn Port, limit: usize) -> io::Result<usize> {
    let mut writer = port.begin(limit)?;
    if codec::encode(&failure, &mut writer).is_err() {
        writer.truncate(0);
        drop(writer);
        let cut = |text: &mut String| *text = text.chars().take(limit / 8).collect();
        match &mut failure {
            Failure::Panicked { error, .. } => {
                error.backtrace = None;
                cut(&mut error.message);
            }
            Failure::Encode(text) | Failure::Decode(text) => cut(text),
        }
        writer = port.begin(usize::MAX)?;
        codec::encode(&failure, &mut writer).map_err(io::Error::other)?;
    }
    Ok(writer.written())
}

/// What a job printed is out before its caller goes on, even if the worker is killed next.
pub(super) fn flush() {
    let _ = io::stdout().flush();
}

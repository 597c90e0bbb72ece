//! The handshake: a new process gets its hello, prepares itself, and sends that it is ready.

use super::channel::shm::WorkerShm;
use super::channel::stream::WorkerStream;
use super::channel::worker_channel::WorkerChannel;
use super::control::Control;
use super::job_loop::make_state;
use super::log_writer::{self, InitHooks};
use super::stage::{ReadyForkServer, ReadyWorker, Stage};
use super::{abort_panic, index, panic, surroundings};
use crate::error::about;
use crate::job::codec;
use crate::job::message::{AfterPanic, Failure};
use crate::job::state::WorkerState;
use crate::role::{self, EXIT_REFUSED};
use crate::settings::Settings;
use crate::settings::start::Start;
use crate::sys::child::Extent;
use crate::sys::fork::{SingleThreaded, claim_channel, exit_at_once};
use crate::sys::gifts::{self, Gift};
use crate::sys::image::Image;
use crate::sys::lifeline::{self, Hold, Starter};
use crate::sys::shared_memory::SharedMemory;
use crate::sys::{cpu, signals, standard, stdio, thread};
use crate::wire::frame::{HEADER, Kind};
use crate::wire::hello::{Hello, Role, Welcome};
use std::io;
use std::sync::Arc;
use std::vec;

/// The largest first frame of a worker; the first frame has the limit for later ones.
const HELLO_LIMIT: usize = 16 << 20;

/// The handshake on this connection. An error is one of the protocol, or of the system.
pub(super) fn handshake(
    Control { socket, link }: Control,
    inherited_memory: u64,
    before: &mut dyn FnMut(),
) -> io::Result<Stage> {
    claim_channel();
    let control = Arc::new(socket);
    let is_near = link.is_none();
    let mut channel = WorkerStream::new(Arc::clone(&control), HELLO_LIMIT).over(link);
    let SetUp { hello, shared, logs, descriptors } = match set_up(&mut channel, is_near, before) {
        Ok(Some(set_up)) => set_up,
        // Nothing has run here that needs `atexit` handlers.
        Ok(None) => exit_at_once(0),
        Err(reason) => return refuse(&mut channel, &reason.to_string()),
    };
    abort_panic::install_hook();
    panic::look_at_environment();
    let welcome = Welcome { build: Image::current().build(), inherited_memory };
    let Start { after_fork, init, preload, .. } = hello.settings.start;
    match hello.role {
        Role::Worker(enclosed) => {
            super::stop::listen(control);
            let has_state = enclosed.has_state;
            let prepared = prepare(&[after_fork, init], has_state, logs, &mut channel, &welcome)?;
            let state = match prepared {
                Ok(()) if has_state => {
                    channel.send(Kind::MakesState, &())?;
                    make_state(&mut channel, hello.settings.transport.max_message_size)?
                }
                prepared => prepared.map(|()| WorkerState::default()),
            };
            match state {
                Ok(state) => worker(hello.settings, state, shared, channel, &welcome),
                Err(failure) => fail(&mut channel, &failure),
            }
        }
        Role::ForkServer => {
            let extent = Extent::of(hello.settings.shutdown.kill_tree);
            let prepared = prepare(&[preload], false, None, &mut channel, &welcome)?;
            match prepared {
                Ok(()) => fork_server(preload.is_some(), extent, descriptors, channel, &welcome),
                Err(failure) => fail(&mut channel, &failure),
            }
        }
    }
}

fn worker(
    settings: Settings,
    state: WorkerState,
    shared: Option<Shared>,
    mut channel: WorkerStream,
    welcome: &Welcome,
) -> io::Result<Stage> {
    if let Some(sandbox) = settings.start.sandbox {
        // Its first use may read `/proc/self/auxv`.
        let _ = cpu::current();
        stdio::enter_sandbox();
        channel.send(Kind::Sandboxes, &())?;
        if let Err(failure) = run_once(sandbox, &mut channel) {
            return fail(&mut channel, &failure);
        }
    }
    channel.send(Kind::Ready, welcome)?;
    let channel: Box<dyn WorkerChannel> = match shared {
        Some(Shared { memory, doorbell }) => {
            Box::new(WorkerShm::new(memory, doorbell, channel, settings.transport.max_spin))
        }
        None => Box::new(channel),
    };
    let limit = settings.transport.max_message_size;
    Ok(Stage::Worker(Box::new(ReadyWorker { settings, channel, limit, state })))
}

fn fork_server(
    has_preload: bool,
    extent: Extent,
    mut descriptors: vec::IntoIter<Gift>,
    mut channel: WorkerStream,
    welcome: &Welcome,
) -> io::Result<Stage> {
    lifeline::end_threads();
    let alone = match SingleThreaded::check() {
        Ok(alone) => alone,
        Err(threads) => return refuse(&mut channel, &too_many(threads, has_preload)),
    };
    // Undo here, and not in each worker, what `preload` may have changed.
    signals::reset();
    signals::ignore_termination();
    // If the program was started with it ignored, the fork server could not get its workers' status.
    signals::keep_status_of_children();
    channel.send(Kind::Ready, welcome)?;
    let requests = gifts::keep(descriptors.next().ok_or(io::ErrorKind::InvalidInput)?)?;
    let requests = gifts::into_socket(requests)?;
    Ok(Stage::ForkServer(ReadyForkServer { alone, requests, extent, _channel: channel }))
}

/// Runs `init` or `preload`, after a `Welcome`, if there is one, or `more` to run.
fn prepare(
    functions: &[Option<fn()>],
    more: bool,
    logs: Option<InitHooks>,
    channel: &mut WorkerStream,
    welcome: &Welcome,
) -> io::Result<Result<(), Failure>> {
    if more || functions.iter().any(Option::is_some) {
        channel.send(Kind::Welcome, welcome)?;
    }
    if let Some(logs) = &logs {
        (logs.before_init)();
    }
    let prepared = functions.iter().flatten().try_for_each(|function| run_once(*function, channel));
    if let (Some(logs), Ok(())) = (&logs, &prepared) {
        (logs.after_init)();
    }
    Ok(prepared)
}

fn run_once(function: fn(), channel: &mut WorkerStream) -> Result<(), Failure> {
    abort_panic::guard(channel, |_| panic::catch(function))
        .map_err(|error| Failure::Panicked { error, then: AfterPanic::EndsWorker })
}

fn too_many(threads: usize, has_preload: bool) -> String {
    let preload = if has_preload { "the context's `preload` function, or " } else { "" };
    let added = std::env::var_os("LD_PRELOAD").map(|them| format!(" (LD_PRELOAD adds {})", them.to_string_lossy()));
    format!(
        "a fork server must have one thread, and this one has {threads}: {preload}a constructor of the program or of \
         one of its libraries{} has started the others",
        added.unwrap_or_default()
    )
}

fn refuse(channel: &mut WorkerStream, reason: &str) -> io::Result<Stage> {
    channel.send(Kind::Refused, &reason)?;
    channel.linger();
    Ok(Stage::Over(EXIT_REFUSED))
}

fn fail(channel: &mut WorkerStream, failure: &Failure) -> io::Result<Stage> {
    stdio::flush();
    channel.send(Kind::Failed, failure)?;
    channel.linger();
    Ok(Stage::Over(1))
}

/// How to serve, and with what.
struct SetUp {
    hello: Hello,
    shared: Option<Shared>,
    logs: Option<InitHooks>,
    // The other descriptors that came with the hello.
    descriptors: vec::IntoIter<Gift>,
}

/// What a worker shares with its parent.
struct Shared {
    memory: SharedMemory,
    doorbell: Gift,
}

/// Receives the hello and applies it. `None` if the parent has cancelled the start. A worker that is not `is_near`, but
/// behind a command, has its link to end it, and gets no descriptors.
fn set_up(channel: &mut WorkerStream, is_near: bool, before: &mut dyn FnMut()) -> io::Result<Option<SetUp>> {
    let parent = Starter::of_this_process();
    let (first, descriptors) =
        channel.first().map_err(|e| about("the program's first message could not be received", e))?;
    let Some(first) = first else { return Ok(None) };
    let mut descriptors = descriptors.into_iter();
    let held = if is_near { lifeline::hold(&mut descriptors) } else { Ok(Hold::Held) };
    match held.map_err(|e| about("its lifeline could not be set up to end it with the program", e))? {
        Hold::Held => {}
        // The parent has given its start up before it knew which process to kill.
        Hold::Cut => return Ok(None),
        Hold::Missing => return Err(missing("lifeline")),
    }
    let hello: Hello = match first.kind {
        Kind::Hello => {
            must_be_of_this_build(first.body())?;
            codec::decode(first.body()).map_err(|e| io::Error::other(format!("the program's first message: {e}")))?
        }
        kind => {
            return Err(io::Error::other(format!("the program's first message is of the unexpected kind {kind:?}")));
        }
    };
    let enclosed = match &hello.role {
        Role::Worker(enclosed) => Some(enclosed),
        Role::ForkServer => None,
    };
    // Not a fork server, which has to end its workers before itself, nor its workers, whose parent it is.
    if is_near && enclosed.is_some_and(|enclosed| enclosed.inherited.is_none()) {
        lifeline::die_with(parent);
    }
    let directory = match enclosed.and_then(|enclosed| enclosed.inherited.as_ref()) {
        Some(inherited) if inherited.has_directory => {
            Some(descriptors.next().ok_or_else(|| missing("working directory"))?)
        }
        _ => None,
    };
    if is_near && enclosed.is_some() && hello.settings.diagnostics.keep_stderr {
        let stderr = descriptors.next().ok_or_else(|| missing("stderr"))?;
        standard::replace_stderr(stderr)
            .map_err(|e| about("the pipe for its stderr could not be moved to descriptor 2", e))?;
    }
    let logs = match enclosed.and_then(|enclosed| enclosed.logs) {
        Some(logs) => {
            let (Some(pipe), Some(dropped)) = (descriptors.next(), descriptors.next()) else {
                return Err(missing("pipe for its log"));
            };
            Some((logs, pipe, dropped))
        }
        None => None,
    };
    // `ps`, `top` and `/proc/*/comm` show it.
    thread::set_own_name(match hello.role {
        Role::Worker(_) => c"offproc-worker",
        Role::ForkServer => c"offproc-forker",
    });
    channel.set_limit(hello.settings.transport.max_message_size.saturating_add(HEADER));
    role::set_depth(hello.depth);
    role::set_max_message_size(hello.settings.transport.max_message_size);
    index::set(match &hello.role {
        Role::Worker(_) => hello.settings.index,
        Role::ForkServer => None,
    });
    let logs = logs.map(|(logs, pipe, dropped)| log_writer::open(&logs, pipe, dropped));
    let logs = logs.transpose().map_err(|e| about("the pipe for its log could not be used", e))?;
    // offproc has opened all that it needs in a worker by here: limits and sandboxes may forbid opening more.
    let shared = enclosed.filter(|enclosed| enclosed.shared_memory).map(|_| share(&mut descriptors)).transpose();
    let shared = shared.map_err(|e| about("the shared memory could not be mapped", e))?;
    surroundings::apply(&hello, directory)?;
    before();
    Ok(Some(SetUp { hello, shared, logs, descriptors }))
}

fn missing(what: &str) -> io::Error {
    io::Error::other(format!(
        "the program's first message came without its {what}: this process may have reached its limit of open \
         descriptors (RLIMIT_NOFILE, `ulimit -n`)"
    ))
}

/// Reads the build alone, which comes first: a hello of another build may have another layout.
fn must_be_of_this_build(hello: &[u8]) -> io::Result<()> {
    let ours = Image::current().build();
    match codec::first(hello) {
        Some(theirs) if theirs != ours => Err(io::Error::other(format!(
            "the worker is of another build of the program, whose executable has been replaced while it runs; start \
             the program anew (worker {ours:032x}, program {theirs:032x})"
        ))),
        _ => Ok(()),
    }
}

/// Opens the shared memory.
fn share(descriptors: &mut vec::IntoIter<Gift>) -> io::Result<Shared> {
    let (Some(memory), Some(doorbell)) = (descriptors.next(), descriptors.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let memory = SharedMemory::open(gifts::keep(memory)?)?;
    Ok(Shared { memory, doorbell: gifts::keep(doorbell)? })
}

//! The entry of a worker behind a command.

use super::WorkerLink;
use super::watch::Watch;
use crate::error::about;
use crate::job::codec;
use crate::role::EXIT_REFUSED;
use crate::sys::fork::exit_at_once;
use crate::sys::image::{Image, is_in_executable};
use crate::sys::{command, environment, pairs, signals, stderr, stdio, thread};
use crate::wire::frame::{Decoder, Frame, Kind};
use crate::wire::link::{Link, Linked, PIECE, frame_of};
use crate::worker::control::Control;
use crate::worker::entry;
use crate::worker::life::live;
use std::io;
use std::sync::Arc;

/// Serves a program that has started this process through a command: see [`serve`](crate::serve).
pub(crate) fn serve() -> ! {
    // A program without the feature `auto-init` need not call `init` before.
    entry::enter(&mut || {});
    match begin() {
        Ok(control) => live(control, u64::MAX, &mut || {}),
        Err(reason) => {
            stderr::say(format_args!("this process cannot serve as a worker: {reason}"));
            exit_at_once(EXIT_REFUSED)
        }
    }
}

fn begin() -> io::Result<Control> {
    if !is_in_executable() {
        return Err(io::Error::other("offproc is in a shared library here"));
    }
    if environment::is_privileged_start() {
        return Err(io::Error::other("a set-uid or otherwise privileged program never becomes a worker"));
    }
    if command::has_terminal() {
        return Err(io::Error::other(
            "its stdin is a terminal, and should be a pipe from a program that starts it by `WorkerType::command`",
        ));
    }
    // What `main` has printed so far: it would come in the middle of what follows.
    stdio::flush();
    let (inlet, outlet) = command::take_streams().map_err(|e| about("its stdin and stdout could not be taken", e))?;
    // From here on a Ctrl+C must not end this process.
    signals::reset();
    let mut decoder = Decoder::new(PIECE);
    let first = loop {
        if let Some(frame) = decoder.next()? {
            break frame;
        }
        match command::read(&inlet, decoder.space())? {
            0 => return Err(io::Error::other("its stdin has ended, and no program has sent a message over it")),
            count => decoder.advance(count),
        }
    };
    let Link { build, heartbeat, connect_back } = greeting(&first)?;
    let (inlet, outlet, held) = match connect_back {
        None => (inlet, outlet, None),
        Some((address, token)) => {
            let (from, to) = command::connect(address, &token)
                .map_err(|e| about(format_args!("it could not connect back to the program at {address}"), e))?;
            (from, to, Some(inlet))
        }
    };
    let link = WorkerLink::new(outlet);
    let ours = Image::current().build();
    let linked = Linked { build: ours, pid: std::process::id(), host: command::host() };
    link.send(&frame_of(Kind::Linked, &linked))?;
    if build != ours {
        return Err(io::Error::other(format!(
            "it is of another build than the program that started it (worker {ours:032x}, program {build:032x})"
        )));
    }
    let (control, stream) = pairs::pair_of_ends().map_err(|e| about("its sockets could not be made", e))?;
    let (control, stream) = (control.into_owned()?, stream.into_owned()?);
    let link = Arc::new(link);
    let watch = Watch { link: Arc::clone(&link), inlet, held, decoder, stream, heartbeat };
    thread::start("offproc-link", None, move || watch.run())?;
    Ok(Control { socket: control, link: Some(link) })
}

/// Reads the build alone first, as another build's greeting may be another.
fn greeting(first: &Frame) -> io::Result<Link> {
    if first.kind != Kind::Link {
        return Err(io::Error::other(format!(
            "the program's first message is of the unexpected kind {:?}",
            first.kind
        )));
    }
    codec::decode(first.body()).map_err(|e| io::Error::other(format!("the program's first message: {e}")))
}

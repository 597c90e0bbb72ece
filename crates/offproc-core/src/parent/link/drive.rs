//! The background task of a link.

use super::end::{Link, Lost};
use super::listener::Start;
use crate::job::codec;
use crate::parent::process::supervised::Process;
use crate::parent::timer::sleep;
use crate::sys::child::Extent;
use crate::sys::command::{self, Pipes};
use crate::sys::fork_registry::{TrackedFd, TrackedSocket};
use crate::sys::readiness::{self, Interest};
use crate::sys::socket::{self, Blocking, Unsent};
use crate::wire::frame::{self, Decoder, Frame, HEADER, Kind};
use crate::wire::link::{MISSING, PIECE};
use async_io::Async;
use futures_lite::future;
use rustix::io::Errno;
use std::future::{Future, pending};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long the launcher of a worker that is gone may take to end, before SIGTERM and before SIGKILL; and how long
/// what a worker has sent last may take to come when its launcher has ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of what came in place of a worker's first frame an error has.
const SHOWN: usize = 200;

/// Keeps a link until it ends, and then has its launcher end. `stream` is the other end of the worker's channel.
pub(crate) async fn drive(
    link: Arc<Link>,
    process: Weak<Process>,
    pipes: Pipes,
    stream: TrackedSocket,
    heartbeat: Duration,
    start: Option<Start>,
) {
    let kept = async {
        let Some(start) = start else { return keep(&link, &pipes, &stream, heartbeat).await };
        match connected(&link, &start).await? {
            Some(connected) => keep(&link, &connected, &stream, heartbeat).await,
            None => Ok(None),
        }
    };
    let lost = match kept.await {
        Ok(lost) => lost,
        Err(e) => Some(Lost(format!("its connection could not be kept: {e}"))),
    };
    // Calls find the end there: what came before it is there, too.
    socket::shut_down(&stream);
    drop((stream, pipes));
    link.end(lost);
    let Some(child) = process.upgrade().and_then(|process| process.child()) else { return };
    // By its own number, never its group: `srun` leaves its step behind then.
    let ends: [&(dyn Fn() + Sync); 3] = [&|| {}, &|| child.terminate(), &|| {
        let _ = child.kill(Extent::Process);
    }];
    for end in ends {
        end();
        let has_ended = async {
            child.ended().await;
            true
        };
        let is_late = async {
            sleep(PATIENCE).await;
            false
        };
        if future::or(has_ended, is_late).await {
            return;
        }
    }
}

/// The connection that the worker makes back, as pipes of its own. The end of its stdin is still that of the program.
async fn connected(link: &Link, start: &Start) -> io::Result<Option<Pipes>> {
    let connects = async { start.connected().await.map(Some) };
    let ends = async {
        first(link.killed(), link.launcher_has_ended()).await;
        Ok(None)
    };
    let Some(connection) = first(connects, ends).await? else { return Ok(None) };
    // Each is waited for by itself.
    let stdout = TrackedFd::from(connection.clone().into_owned()?);
    link.set_outlet(connection.clone());
    Ok(Some(Pipes { stdin: connection, stdout }))
}

/// Returns why the link is lost; `None` where it has just ended.
async fn keep(
    link: &Link,
    Pipes { stdin, stdout }: &Pipes,
    stream: &TrackedSocket,
    heartbeat: Duration,
) -> io::Result<Option<Lost>> {
    let (stdin, stdout, stream) =
        (Async::new(stdin.clone())?, Async::new(stdout.clone())?, Async::new(stream.clone())?);
    let (is_waiting, pieces) = (AtomicBool::new(false), AtomicUsize::new(0));
    let sends = async {
        send_stream(link, &stdin, &stream).await?;
        pending().await
    };
    let kill = async {
        link.killed().await;
        Ok(None)
    };
    let launcher = async {
        link.launcher_has_ended().await;
        loop {
            let before = pieces.load(Ordering::Relaxed);
            sleep(PATIENCE).await;
            // While the call does not read, more may be there.
            if !is_waiting.load(Ordering::Relaxed) && pieces.load(Ordering::Relaxed) == before {
                return Ok(None);
            }
        }
    };
    let receives = receive(link, &stdout, &stream, &is_waiting, &pieces);
    let beats = beat(link, &stdout, heartbeat);
    first(receives, first(kill, first(sends, first(launcher, beats)))).await
}

/// The first to end, tried in this order.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    future::or(one, other).await
}

/// Sends what the parent's end of the stream sends, and then its end.
async fn send_stream(link: &Link, stdin: &Async<TrackedFd>, stream: &Async<TrackedSocket>) -> io::Result<()> {
    // Most jobs are small, and most links idle.
    const SMALL: usize = 4096 - HEADER;
    let mut piece = Vec::new();
    loop {
        if piece.is_empty() {
            stream.readable().await?;
            piece = vec![0; HEADER + SMALL];
        }
        match socket::receive(stream.get_ref(), &mut piece[HEADER..]) {
            Ok(0) => break,
            Ok(count) => {
                piece[..HEADER].copy_from_slice(&frame::header(Kind::Piece, count));
                link.send(&piece[..HEADER + count]);
                flush(link, stdin).await?;
                if HEADER + count == piece.len() {
                    piece.resize(HEADER + PIECE, 0);
                }
            }
            Err(Errno::AGAIN) => piece = Vec::new(),
            Err(e) if socket::is_gone(e) => break,
            Err(e) => return Err(e.into()),
        }
    }
    link.send(&frame::empty(Kind::StreamEnd));
    flush(link, stdin).await
}

async fn flush(link: &Link, stdin: &Async<TrackedFd>) -> io::Result<()> {
    while !link.flush() {
        stdin.writable().await?;
    }
    Ok(())
}

/// Sends heartbeats, and returns once those of the worker are missing.
async fn beat(link: &Link, stdout: &Async<TrackedFd>, heartbeat: Duration) -> io::Result<Option<Lost>> {
    loop {
        sleep(heartbeat).await;
        // Without waiting for room: a worker that reads nothing is lost, too.
        link.beat();
        let patience = heartbeat.saturating_mul(MISSING);
        // This program may have been stopped meanwhile, and not have read what is there.
        if link.silent_since().is_some_and(|since| since.elapsed() >= patience)
            && !readiness::wait(stdout.get_ref(), Interest::Readable, Some(Instant::now()))?
        {
            return Ok(Some(Lost(format!("nothing has come from it for {patience:?}, no heartbeat either"))));
        }
    }
}

/// Passes on what comes from the worker, to its end.
async fn receive(
    link: &Link,
    stdout: &Async<TrackedFd>,
    stream: &Async<TrackedSocket>,
    is_waiting: &AtomicBool,
    pieces: &AtomicUsize,
) -> io::Result<Option<Lost>> {
    let mut decoder = Decoder::new(PIECE);
    let mut shown = Vec::new();
    loop {
        let next = match decoder.next() {
            // A shell that greets its user, for instance.
            Err(e) if !link.is_linked() => {
                let text = String::from_utf8_lossy(&shown);
                return Ok(Some(Lost(format!("what came first is not of a worker ({e}): {text:?}"))));
            }
            next => next,
        };
        match next {
            Ok(Some(frame)) => {
                if let Err(lost) = obey(link, &frame) {
                    return Ok(Some(lost));
                }
                if frame.kind == Kind::Piece {
                    pass_on(frame.body(), stream, is_waiting).await?;
                    pieces.fetch_add(1, Ordering::Relaxed);
                }
                continue;
            }
            Ok(None) => {}
            Err(e) => return Ok(Some(Lost(format!("it has violated the protocol: {e}")))),
        }
        let count = loop {
            match command::read(stdout.get_ref(), decoder.space()) {
                Ok(count) => break count,
                Err(Errno::AGAIN) => stdout.readable().await?,
                // As a connection that is reset.
                Err(_) => break 0,
            }
        };
        if count == 0 {
            return Ok(None);
        }
        if !link.is_linked() && shown.len() < SHOWN {
            shown.extend_from_slice(&decoder.space()[..count.min(SHOWN)]);
        }
        decoder.advance(count);
        link.hear();
    }
}

fn obey(link: &Link, frame: &Frame) -> Result<(), Lost> {
    let violation = |what: String| Lost(format!("it has violated the protocol: {what}"));
    match frame.kind {
        Kind::Linked if !link.is_linked() => {
            link.set_linked(codec::decode(frame.body()).map_err(|e| violation(e.to_string()))?)
        }
        Kind::Piece | Kind::Heartbeat if link.is_linked() => Ok(()),
        Kind::Overuse => {
            link.set_overuse(codec::decode(frame.body()).map_err(|e| violation(e.to_string()))?);
            Ok(())
        }
        Kind::Goodbye => {
            link.set_left();
            Ok(())
        }
        kind => Err(violation(format!("an unexpected {kind:?}"))),
    }
}

/// A worker whose holder is gone has sent it for no use.
async fn pass_on(mut bytes: &[u8], stream: &Async<TrackedSocket>, is_waiting: &AtomicBool) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket::send(stream.get_ref(), bytes, Blocking::No).map_err(Unsent::from) {
            Ok(count) => bytes = &bytes[count..],
            Err(Unsent::Full) => {
                is_waiting.store(true, Ordering::Relaxed);
                stream.writable().await?;
                is_waiting.store(false, Ordering::Relaxed);
            }
            Err(Unsent::Gone) => return Ok(()),
            Err(Unsent::Refused(e)) => return Err(e.into()),
        }
    }
    Ok(())
}

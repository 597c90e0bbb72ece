//! A worker behind a command: its launcher's pipes in the program, and its own stdin and stdout in the worker.

use super::fd_numbers::duplicate_high;
use super::fork_registry::{TrackedFd, TrackedGift};
use super::pairs;
use super::pipes;
use super::readiness::{self, Interest};
use super::socket::{self, Blocking, retry};
use super::standard::restore_standard;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether this system has such workers.
pub(crate) const IS_SUPPORTED: bool = true;

/// An end of a pipe or of a connection that a worker has.
pub(crate) use std::os::fd::OwnedFd as End;

/// The program's ends of a launcher's pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: TrackedFd,
    pub(crate) stdout: TrackedFd,
}

/// Starts the command with a socket as its stdin, a pipe as its stdout, and this as its stderr. Writing to a pipe whose
/// other end is closed would end a program that has SIGPIPE at its default.
pub(crate) fn spawn(command: &mut Command, stderr: TrackedGift) -> io::Result<(Child, Pipes)> {
    let (stdin, theirs_in) = pairs::pair_of_ends()?;
    let (stdout, theirs_out) = pipes::pipe()?;
    command.stdin(Stdio::from(theirs_in.into_owned()?));
    command.stdout(Stdio::from(theirs_out.into_owned()?));
    command.stderr(Stdio::from(stderr.into_owned()?));
    Ok((command.spawn()?, Pipes { stdin, stdout }))
}

/// `read`: 0 at the end.
pub(crate) fn read(end: impl AsFd, space: &mut [u8]) -> Result<usize, Errno> {
    retry(|| rustix::io::read(&end, &mut *space))
}

/// `send(MSG_NOSIGNAL)`: how much was sent over the program's end of a link, which is a socket.
pub(crate) fn send(end: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    socket::send(end, bytes, Blocking::No)
}

/// `writev`: writes both, however long that takes.
pub(crate) fn write_both(end: impl AsFd, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
    while !head.is_empty() || !body.is_empty() {
        match retry(|| rustix::io::writev(&end, &[IoSlice::new(head), IoSlice::new(body)])) {
            Ok(written) => {
                let of_head = written.min(head.len());
                (head, body) = (&head[of_head..], &body[written - of_head..]);
            }
            // What has started the worker has made it non-blocking.
            Err(Errno::AGAIN) => drop(readiness::wait(&end, Interest::Writable, None)?),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Whether stdin is a terminal.
pub(crate) fn has_terminal() -> bool {
    rustix::termios::isatty(rustix::stdio::stdin())
}

/// `dup2`: takes stdin and stdout. From here on stdin is empty, and what is written to stdout goes to stderr.
pub(crate) fn take_streams() -> io::Result<(End, End)> {
    let streams = (duplicate_high(rustix::stdio::stdin())?, duplicate_high(rustix::stdio::stdout())?);
    restore_standard()?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(streams)
}

/// Connects to the program, and sends it the token: where to read, and where to write.
pub(crate) fn connect(address: SocketAddr, token: &[u8]) -> io::Result<(End, End)> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_nodelay(true)?;
    connection.write_all(token)?;
    Ok((connection.try_clone()?.into(), connection.into()))
}

/// `/dev/urandom`: what another program cannot guess.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What is ready of a link in its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Bytes have come from the program, or it is gone.
    pub(crate) inlet: bool,
    /// What is held has ended.
    pub(crate) held: bool,
}

/// `poll`: waits for bytes or, where `wants_room`, for room in the stream, and only for the end of the inlet meanwhile.
/// `held` is where nothing comes but an end; that is the inlet's, too.
pub(crate) fn wait(
    [inlet, stream]: [&End; 2],
    held: Option<&End>,
    wants_room: bool,
    patience: Duration,
) -> io::Result<Ready> {
    let patience = Timespec::try_from(patience).ok();
    let (inlet_flags, stream_flags) =
        if wants_room { (PollFlags::empty(), PollFlags::OUT) } else { (PollFlags::IN, PollFlags::empty()) };
    let mut polled = vec![PollFd::new(inlet, inlet_flags)];
    polled.extend(held.map(|held| PollFd::new(held, PollFlags::IN)));
    // The stream may have no other end any more.
    polled.extend(wants_room.then(|| PollFd::new(stream, stream_flags)));
    match poll(&mut polled, patience.as_ref()) {
        Ok(_) => Ok(Ready {
            inlet: !polled[0].revents().is_empty(),
            held: held.is_some() && !polled[1].revents().is_empty(),
        }),
        Err(Errno::INTR) => Ok(Ready::default()),
        Err(e) => Err(e.into()),
    }
}

/// `kill(getpid(), SIGKILL)`: ends this process at once, whatever its threads do.
pub(crate) fn end_now() -> ! {
    let _ = kill_process(rustix::process::getpid(), Signal::KILL);
    // The first process of a PID namespace is immune to its own signals.
    super::fork::exit_at_once(128 + Signal::KILL.as_raw())
}

/// `uname`: the name of this machine.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

//! Processes that play a part in the benchmark: this program, started anew with one argument.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A part to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Keeps a CPU busy.
    Busy,
    /// Writes one byte to stdout and ends: what starting a program costs, whatever it is.
    FirstByte,
    /// Sends back each byte that comes over the socket at its stdin.
    Ping,
    /// Sends back each message that comes over the socket at its stdin.
    Echo,
    /// Answers in the memory at its stdin; spins before it sleeps.
    Shared { spin: Duration },
}

const ARGUMENT: &str = "--play=";

impl Role {
    fn argument(self) -> String {
        let role = match self {
            Self::Busy => "busy".to_owned(),
            Self::FirstByte => "first-byte".to_owned(),
            Self::Ping => "ping".to_owned(),
            Self::Echo => "echo".to_owned(),
            Self::Shared { spin } => format!("shared:{}", spin.as_micros()),
        };
        format!("{ARGUMENT}{role}")
    }

    pub(super) fn from_argument(argument: &str) -> Option<Self> {
        Some(match argument.strip_prefix(ARGUMENT)?.split_once(':') {
            Some(("shared", spin)) => Self::Shared { spin: Duration::from_micros(spin.parse().ok()?) },
            Some(_) => return None,
            None => match &argument[ARGUMENT.len()..] {
                "busy" => Self::Busy,
                "first-byte" => Self::FirstByte,
                "ping" => Self::Ping,
                "echo" => Self::Echo,
                _ => return None,
            },
        })
    }
}

/// A process that plays a part, until this is dropped.
#[derive(Debug)]
pub(crate) struct Player(Child);

impl Player {
    /// Must be called from a thread that lives as long as the player shall: the kernel ends it with that thread.
    pub(crate) fn start(role: Role, stdin: Option<OwnedFd>) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(role.argument()).stdin(stdin.map_or_else(Stdio::null, Stdio::from));
        command.stdout(if role == Role::FirstByte { Stdio::piped() } else { Stdio::null() });
        command.spawn().map(Self)
    }

    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("this role writes to a pipe")
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended by itself; what can be waited for is waited for in any case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

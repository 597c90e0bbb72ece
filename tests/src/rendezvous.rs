//! Where a test and its jobs meet: named pipes that the test holds open in both directions, so that no side blocks
//! while the other is missing, and a job whose test has gone sees the end of the file.

use crate::scratch::Scratch;
use rustix::fs::{Mode, OFlags};
use smol::Async;
use std::fs::File;
use std::io::{self, Read, Write};

/// Jobs arrive here, and the test waits for them.
#[derive(Debug)]
pub struct Arrivals {
    path: String,
    pipe: Async<File>,
}

impl Arrivals {
    /// A meeting point of this name.
    #[must_use]
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.path(name);
        let pipe = Async::new(make_pipe(&path)).expect("a pipe can be waited for");
        Self { path, pipe }
    }

    /// What a job is to be given for [`arrive`].
    #[must_use]
    pub fn ticket(&self) -> String {
        self.path.clone()
    }

    /// Waits for the next job to arrive; the process it runs in.
    ///
    /// # Panics
    ///
    /// The pipe is broken.
    pub async fn next(&self) -> u32 {
        let mut pid = [0; 4];
        let read = self.pipe.read_with(|mut pipe| pipe.read(&mut pid)).await;
        assert_eq!(read.expect("a pipe"), pid.len());
        u32::from_ne_bytes(pid)
    }

    /// The next job that is there already.
    #[must_use]
    pub fn try_next(&self) -> Option<u32> {
        let mut pid = [0; 4];
        match self.pipe.get_ref().read(&mut pid) {
            Ok(4) => Some(u32::from_ne_bytes(pid)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            other => panic!("a broken pipe: {other:?}"),
        }
    }
}

/// Announces to the test that the job runs, and in which process.
///
/// # Panics
///
/// The test has gone.
pub fn arrive(ticket: &str) {
    let mut pipe = File::options().write(true).open(ticket).expect("the test waits");
    pipe.write_all(&std::process::id().to_ne_bytes()).expect("the test waits");
}

/// Jobs wait here for the test.
#[derive(Debug)]
pub struct Gate {
    path: String,
    pipe: File,
}

impl Gate {
    /// A closed gate of this name.
    #[must_use]
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.path(name);
        let pipe = make_pipe(&path);
        Self { path, pipe }
    }

    /// What a job is to be given for [`pass`].
    #[must_use]
    pub fn ticket(&self) -> String {
        self.path.clone()
    }

    /// Lets one job pass.
    ///
    /// # Panics
    ///
    /// The pipe is broken.
    pub fn admit_one(&self) {
        (&self.pipe).write_all(&[1]).expect("a pipe");
    }
}

/// Waits until the test lets one pass. False when the test has gone.
///
/// # Panics
///
/// There never was such a gate.
#[must_use]
pub fn pass(ticket: &str) -> bool {
    let mut pipe = File::open(ticket).expect("a gate");
    pipe.read(&mut [0]).is_ok_and(|count| count == 1)
}

fn make_pipe(path: &str) -> File {
    let all = Mode::RUSR | Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, all).expect("a named pipe");
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).expect("the pipe").into()
}

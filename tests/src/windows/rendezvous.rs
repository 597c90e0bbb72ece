//! Where a test and its jobs meet: sockets on the loopback interface, whose addresses are in files. A job whose test
//! has gone sees their end.

use crate::scratch::Scratch;
use smol::Async;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};

/// Jobs arrive here, and the test waits for them.
#[derive(Debug)]
pub struct Arrivals {
    path: String,
    socket: Async<TcpListener>,
}

impl Arrivals {
    /// A meeting point of this name.
    ///
    /// # Panics
    ///
    /// There is no socket.
    #[must_use]
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let socket = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a socket");
        Self { path: announce(scratch, name, socket.get_ref()), socket }
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
    /// The socket is broken.
    pub async fn next(&self) -> u32 {
        let (arrived, _) = self.socket.accept().await.expect("a socket");
        number(arrived.into_inner().expect("a socket"))
    }

    /// The next job that is there already.
    ///
    /// # Panics
    ///
    /// The socket is broken.
    #[must_use]
    pub fn try_next(&self) -> Option<u32> {
        match self.socket.get_ref().accept() {
            Ok((arrived, _)) => Some(number(arrived)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Err(e) => panic!("a broken socket: {e}"),
        }
    }
}

/// Writes down where a socket is.
fn announce(scratch: &Scratch, name: &str, socket: &TcpListener) -> String {
    let path = scratch.path(name);
    std::fs::write(&path, socket.local_addr().expect("it is bound").to_string()).expect("a file");
    path
}

fn connect(path: &str) -> io::Result<TcpStream> {
    TcpStream::connect(std::fs::read_to_string(path)?)
}

fn number(mut arrived: TcpStream) -> u32 {
    let mut pid = [0; 4];
    arrived.set_nonblocking(false).expect("a socket");
    arrived.read_exact(&mut pid).expect("a job arrives with its number");
    u32::from_ne_bytes(pid)
}

/// Announces to the test that the job runs, and in which process.
///
/// # Panics
///
/// The test has gone.
pub fn arrive(ticket: &str) {
    let mut test = connect(ticket).expect("the test waits");
    test.write_all(&std::process::id().to_ne_bytes()).expect("the test waits");
}

/// Jobs wait here for the test.
#[derive(Debug)]
pub struct Gate {
    path: String,
    admissions: Sender<()>,
}

impl Gate {
    /// A closed gate of this name.
    ///
    /// # Panics
    ///
    /// There is no socket.
    #[must_use]
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a socket");
        let path = announce(scratch, name, &listener);
        let (admissions, admitted) = channel();
        std::thread::spawn(move || {
            while let Ok(()) = admitted.recv() {
                if let Ok((mut job, _)) = listener.accept() {
                    let _ = job.write_all(&[1]);
                }
            }
        });
        Self { path, admissions }
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
    /// The gate is broken.
    pub fn admit_one(&self) {
        self.admissions.send(()).expect("its thread waits");
    }
}

/// Waits until the test lets one pass. False when the test has gone.
///
/// # Panics
///
/// There never was such a gate.
#[must_use]
pub fn pass(ticket: &str) -> bool {
    let mut gate = connect(ticket).expect("a gate");
    gate.read(&mut [0]).is_ok_and(|count| count == 1)
}

//! Where the workers of a context connect back to.
//!
//! Each start that waits for its worker accepts connections, for itself and for the others: none is accepted while no
//! start waits. A connection begins with the token of the start that it is for, which has come to the worker over its
//! stdin, and is good for one connection.

use crate::parent::background::spawn_background;
use crate::parent::timer::sleep;
use crate::sys::command::{self, End};
use crate::sys::fork_registry::TrackedFd;
use crate::wire::link::TOKEN;
use async_io::Async;
use futures_lite::future;
use rustix::io::Errno;
use std::hint::black_box;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long a connection may take to send its token.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections that have sent none yet are kept at once.
const MOST: usize = 256;

type Token = [u8; TOKEN];

/// A socket to listen on, and who waits for a worker.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Async<TcpListener>,
    address: SocketAddr,
    starts: Arc<Mutex<Vec<Expected>>>,
}

#[derive(Debug)]
struct Expected {
    token: Token,
    connected: Option<TrackedFd>,
    waker: Waker,
}

/// The start of one worker, which is to connect back.
#[derive(Debug)]
pub(crate) struct Start {
    listener: Arc<Listener>,
    token: Token,
}

fn lock(starts: &Mutex<Vec<Expected>>) -> MutexGuard<'_, Vec<Expected>> {
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Arc<Self>> {
        let socket = Async::<TcpListener>::bind(address)?;
        let address = socket.get_ref().local_addr()?;
        Ok(Arc::new(Self { socket, address, starts: Arc::default() }))
    }

    /// A worker is about to be started.
    pub(crate) fn expect(self: &Arc<Self>) -> io::Result<Start> {
        let token = command::random()?;
        lock(&self.starts).push(Expected { token, connected: None, waker: Waker::noop().clone() });
        Ok(Start { listener: Arc::clone(self), token })
    }

    /// Accepts connections for as long as it is polled.
    async fn accept(&self) -> io::Error {
        loop {
            match self.socket.accept().await {
                Ok((connection, _)) => {
                    // The token of each comes in its own time.
                    if Arc::strong_count(&self.starts) <= MOST {
                        let starts = Arc::clone(&self.starts);
                        spawn_background(async move {
                            let admitted = async { drop(admit(connection, &starts).await) };
                            future::or(admitted, sleep(PATIENCE)).await;
                        });
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => return e,
            }
        }
    }
}

/// Hands a connection over to the start whose token it sends.
async fn admit(connection: Async<TcpStream>, starts: &Mutex<Vec<Expected>>) -> io::Result<()> {
    let (mut sent, mut filled) = ([0; TOKEN], 0);
    while filled < TOKEN {
        match command::read(connection.get_ref(), &mut sent[filled..]) {
            Ok(0) => return Ok(()),
            Ok(count) => filled += count,
            Err(Errno::AGAIN) => connection.readable().await?,
            Err(e) => return Err(e.into()),
        }
    }
    let connection = connection.into_inner()?;
    connection.set_nodelay(true)?;
    let connection = TrackedFd::from(End::from(connection));
    let mut starts = lock(starts);
    // All of them are compared, to the end.
    let mut found = None;
    for (place, start) in starts.iter().enumerate() {
        if is_same(&start.token, &sent) {
            found = Some(place);
        }
    }
    let Some(start) = found.map(|place| &mut starts[place]) else { return Ok(()) };
    if start.connected.is_none() {
        start.connected = Some(connection);
        start.waker.wake_by_ref();
    }
    Ok(())
}

/// In a time that does not depend on where they differ.
fn is_same(one: &Token, other: &Token) -> bool {
    black_box(one.iter().zip(other).fold(0, |differs, (a, b)| black_box(differs | (a ^ b)))) == 0
}

impl Start {
    /// What the worker has to know.
    pub(crate) fn ticket(&self) -> (SocketAddr, Token) {
        (self.listener.address, self.token)
    }

    /// Waits for the connection of the worker.
    pub(crate) async fn connected(&self) -> io::Result<TrackedFd> {
        let connected = std::future::poll_fn(|cx| {
            let mut starts = lock(&self.listener.starts);
            let Some(start) = starts.iter_mut().find(|start| start.token == self.token) else { return Poll::Pending };
            match start.connected.take() {
                Some(connected) => Poll::Ready(Ok(connected)),
                None => {
                    start.waker.clone_from(cx.waker());
                    Poll::Pending
                }
            }
        });
        let accepts = async { Err(self.listener.accept().await) };
        future::or(connected, accepts).await
    }
}

impl Drop for Start {
    /// The token is good for no other connection.
    fn drop(&mut self) {
        lock(&self.listener.starts).retain(|start| start.token != self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_connection_is_admitted_once_by_its_token() {
        crate::parent::background::ensure().unwrap();
        let listener = Listener::open(([127, 0, 0, 1], 0).into()).unwrap();
        let (one, other) = (listener.expect().unwrap(), listener.expect().unwrap());
        let ((address, token), (_, other_token)) = (one.ticket(), other.ticket());
        assert_ne!(token, other_token);
        let connect = |token: &[u8]| {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(token).unwrap();
            connection
        };
        let mut near = token;
        near[TOKEN - 1] ^= 1;
        let mut wrong = connect(&near);
        let _silent = connect(&token[..TOKEN - 1]);
        let mut right = connect(&token);
        let admitted = future::block_on(one.connected()).unwrap();
        command::send(&admitted, b"hello").unwrap();
        let mut said = [0; 5];
        right.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"hello");
        assert!(matches!(wrong.read(&mut said), Ok(0) | Err(_)), "it is closed");
        drop(one);
        let mut late = connect(&token);
        let mut right = connect(&other_token);
        let admitted = future::block_on(other.connected()).unwrap();
        command::send(&admitted, b"hello").unwrap();
        right.read_exact(&mut said).unwrap();
        assert!(matches!(late.read(&mut said), Ok(0) | Err(_)), "its token is used up");
    }
}

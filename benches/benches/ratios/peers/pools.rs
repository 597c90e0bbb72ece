//! Each way to have a no-op called, as one line of the comparison.

use super::role::Role;
use super::shared_memory::MemoryPeer;
use super::socket::SocketPeer;
use crate::interleave::Way;
use offproc::{Transport, WorkerContext};
use offproc_bench::noop;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The names by which scenarios, results and plots know them.
pub(crate) mod name {
    pub(crate) const OFFPROC: &str = "offproc";
    pub(crate) const STREAM: &str = "offproc, stream";
    pub(crate) const SPAWN_BLOCKING: &str = "spawn_blocking";
    pub(crate) const UNBLOCK: &str = "smol::unblock";
    pub(crate) const RAYON: &str = "rayon";
    pub(crate) const PROCSPAWN: &str = "procspawn pool";
    pub(crate) const SOCKET: &str = "raw socketpair";
    pub(crate) const FUTEX: &str = "raw futex";
    pub(crate) const SPINNING: &str = "raw futex, spinning";
}

/// Ours, in the default context.
pub(crate) fn offproc() -> Way {
    Way::new(name::OFFPROC, || async { offproc::run_sync(noop, ()).await.expect("a no-op succeeds") })
}

/// Ours over the transport that systems without shared memory have.
pub(crate) fn stream() -> Way {
    let context = WorkerContext::builder().transport(Transport::Stream).open().expect("the settings are fine");
    Way::new(name::STREAM, move || {
        let call = context.run_sync(noop, ());
        async { call.await.expect("a no-op succeeds") }
    })
}

pub(crate) fn spawn_blocking() -> Way {
    Way::new(name::SPAWN_BLOCKING, || async {
        tokio::task::spawn_blocking(|| noop(())).await.expect("a no-op does not panic");
    })
}

pub(crate) fn unblock() -> Way {
    Way::new(name::UNBLOCK, || smol::unblock(|| noop(())))
}

pub(crate) fn rayon() -> Way {
    Way::new(name::RAYON, || async {
        let (done, when_done) = tokio::sync::oneshot::channel();
        rayon::spawn(move || {
            noop(());
            let _ = done.send(());
        });
        when_done.await.expect("a no-op does not panic");
    })
}

/// procspawn has no async interface: blocking the thread is its fastest way.
pub(crate) fn procspawn() -> Result<Way, procspawn::SpawnError> {
    let pool = Arc::new(procspawn::Pool::new(1)?);
    Ok(Way::blocking(name::PROCSPAWN, move || pool.spawn((), noop).join().expect("a no-op succeeds")))
}

pub(crate) fn socket() -> io::Result<Way> {
    let peer = Arc::new(SocketPeer::start(Role::Ping)?);
    Ok(Way::blocking(name::SOCKET, move || peer.ping().expect("the other end lives")))
}

pub(crate) fn futex() -> io::Result<Way> {
    memory(name::FUTEX, Duration::ZERO, Duration::ZERO)
}

/// What ours could reach: it spins like its worker, and looks like its caller, before they sleep.
pub(crate) fn spinning() -> io::Result<Way> {
    memory(name::SPINNING, Duration::from_micros(50), Duration::from_micros(2))
}

fn memory(name: &'static str, spin: Duration, look: Duration) -> io::Result<Way> {
    let peer = Arc::new(MemoryPeer::start(spin, look)?);
    Ok(Way::blocking(name, move || peer.call()))
}

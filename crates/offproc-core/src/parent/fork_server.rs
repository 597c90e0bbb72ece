//! The parent's side of a fork server: a helper process that forks workers on request.
//!
//! A request goes to the helper as one message with the new worker's connection; everything else is said on that
//! connection, by the helper (which process it is, with a pidfd) and by the worker itself. Only the ends of workers,
//! which the helper waits for as their parent, come back on the socket for requests.

use super::keeper;
use super::launcher::{Guard, Launched, Launcher, sealed};
use super::process::Process;
use super::runtime::{BoxFuture, Host};
use super::settings::Settings;
use super::spawn::Spawn;
use super::start::greet;
use super::worker::{Worker, WorkerProcess};
use crate::error::Error;
use crate::sys::descriptors::{self, Descriptor};
use crate::sys::messages::send_with;
use crate::wire::codec;
use crate::wire::fork::{Ended, Fork, MESSAGE, pack, unpack};
use crate::wire::frame::Kind;
use async_io::Async;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// [`WorkerType::ForkServer`](crate::WorkerType::ForkServer).
#[derive(Debug)]
pub(crate) struct ForkServer {
    settings: Arc<Settings>,
    // The helper, when it runs. Whoever holds the receiver's item may start one: a lock that can be waited for.
    slot: Slot,
}

#[derive(Clone, Debug)]
struct Slot {
    put: async_channel::Sender<Option<Arc<Helper>>>,
    take: async_channel::Receiver<Option<Arc<Helper>>>,
    // The same helper again, for those who cannot wait.
    running: Arc<Mutex<Option<Running>>>,
}

/// The socket for requests, and the helper's process.
type Running = (Arc<Async<Descriptor>>, WorkerProcess);

/// What was taken out of the slot goes back into it.
struct Taken<'a> {
    slot: &'a Slot,
    helper: Option<Arc<Helper>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let _ = self.slot.put.try_send(self.helper.take());
    }
}

impl Slot {
    async fn take(&self) -> Taken<'_> {
        Taken { slot: self, helper: self.take.recv().await.ok().flatten() }
    }

    fn lock_running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ForkServer {
    pub(crate) fn new(settings: Settings) -> Self {
        let (put, take) = async_channel::bounded(1);
        let _ = put.try_send(None);
        Self { settings: Arc::new(settings), slot: Slot { put, take, running: Arc::default() } }
    }
}

impl sealed::Sealed for ForkServer {}

impl Launcher for ForkServer {
    fn launch(&self, host: &Host) -> BoxFuture<io::Result<sealed::Started>> {
        let (slot, settings, host) = (self.slot.clone(), Arc::clone(&self.settings), host.clone());
        Box::pin(async move {
            // Twice at most: a helper that has died is replaced, one that dies at once is an error.
            for attempt in 0.. {
                let helper = running(&slot, &settings, &host).await?;
                match helper.launch().await {
                    Err(e) if attempt == 0 && matches!(e.raw_os_error().map(Errno::from_raw_os_error), Some(GONE)) => {
                        helper.worker.kill();
                        let mut taken = slot.take().await;
                        if taken.helper.as_ref().is_some_and(|current| Arc::ptr_eq(current, &helper)) {
                            taken.helper = None;
                        }
                    }
                    launched => return launched.map(sealed::Started),
                }
            }
            unreachable!("the loop ends by its second round")
        })
    }

    fn close(&self) -> BoxFuture<()> {
        let slot = self.slot.clone();
        Box::pin(async move {
            let taken = slot.take().await;
            if let Some(helper) = &taken.helper {
                helper.hang_up();
                poll_fn(|cx| helper.worker.poll_end(cx)).await;
            }
        })
    }

    fn end(&self, deadline: Instant) {
        let running = self.slot.lock_running().take();
        if let Some((requests, process)) = running {
            let _ = rustix::net::shutdown(requests.get_ref(), Shutdown::Both);
            process.wait_or_kill(deadline);
        }
    }
}

const GONE: Errno = Errno::PIPE;

/// The helper, started if need be; the others wait meanwhile.
async fn running(slot: &Slot, settings: &Settings, host: &Host) -> io::Result<Arc<Helper>> {
    let mut taken = slot.take().await;
    if let Some(helper) = taken.helper.as_ref().filter(|helper| !helper.worker.is_spent()) {
        return Ok(Arc::clone(helper));
    }
    let helper = Helper::start(settings, host).await.map_err(|e| match e {
        Error::Spawn(e) => e,
        e => io::Error::other(format!("the fork server could not be started: {e}")),
    })?;
    taken.helper = Some(Arc::clone(&helper));
    *slot.lock_running() = Some((Arc::clone(&helper.requests), helper.worker.process()));
    Ok(helper)
}

/// A running helper process. Dropping it kills it.
#[derive(Debug)]
struct Helper {
    worker: Worker,
    // One registration for all: for the starts that wait for room, and for the ends that are listened for.
    requests: Arc<Async<Descriptor>>,
    books: Arc<Books>,
}

/// The workers that the helper is to tell the end of.
#[derive(Debug, Default)]
struct Books {
    children: Mutex<(u64, HashMap<u64, Arc<Process>>)>,
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Arc<Process>>)> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, ended: Ended) {
        let process = self.lock().1.remove(&ended.id);
        if let Some(process) = process {
            process.record_end(ended.reaped);
        }
    }

    /// The helper is gone: what is left of its workers is seen to end by their pidfds.
    fn orphaned(&self) {
        let left = std::mem::take(&mut self.lock().1);
        for process in left.into_values() {
            keeper::entrust(async move {
                let reaped = match process.child() {
                    Some(child) => child.wait().await,
                    None => None,
                };
                process.record_end(reaped);
            });
        }
    }
}

impl Helper {
    async fn start(settings: &Settings, host: &Host) -> Result<Arc<Self>, Error> {
        let hello = settings.fork_server_hello().map_err(|reason| Error::Spawn(io::Error::other(reason)))?;
        let (requests, helper_requests) = descriptors::message_pair().map_err(Error::Spawn)?;
        let mut launched = Spawn.launch(host).await.map_err(Error::Spawn)?.0;
        launched.descriptors.push(helper_requests);
        let worker = greet(launched, hello, settings, host).await?.into_helper(settings);
        let requests = Arc::new(Async::new_nonblocking(requests).map_err(Error::Spawn)?);
        let helper = Arc::new(Self { worker, requests, books: Arc::default() });
        keeper::entrust(listen(Arc::clone(&helper.requests), Arc::clone(&helper.books)));
        Ok(helper)
    }

    /// Tells it to leave.
    fn hang_up(&self) {
        let _ = rustix::net::shutdown(self.requests.get_ref(), Shutdown::Both);
    }

    /// Has a worker forked. It may not have been forked yet when this returns.
    async fn launch(&self) -> io::Result<Launched> {
        let (control, worker_control) = descriptors::pair()?;
        let (lifeline, worker_lifeline) = descriptors::pair()?;
        // On the books before the request is out: its end may come at any moment after.
        let (id, process) = {
            let mut books = self.books.lock();
            books.0 += 1;
            let process = Process::announced();
            let id = books.0;
            books.1.insert(id, Arc::clone(&process));
            (id, process)
        };
        let launched = Launched { process: Guard(process), control, lifeline, descriptors: vec![worker_lifeline] };
        if let Err(e) = self.request(Fork { id }, worker_control).await {
            self.books.ended(Ended { id, reaped: None });
            return Err(e);
        }
        if self.worker.is_spent() {
            // It has died meanwhile, perhaps before the books were closed on its workers and after ours was entered.
            self.books.orphaned();
        }
        Ok(launched)
    }

    async fn request(&self, fork: Fork, control: Descriptor) -> io::Result<()> {
        let message = pack(Kind::Fork, &fork);
        let descriptors = [control];
        loop {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match send_with(self.requests.get_ref(), &message, &descriptors, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                // More starts at once than the socket takes.
                Err(Errno::AGAIN) => self.requests.writable().await?,
                Err(Errno::CONNRESET | Errno::PIPE) => return Err(GONE.into()),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// Takes note of ends until the helper itself has ended.
async fn listen(requests: Arc<Async<Descriptor>>, books: Arc<Books>) {
    let mut buffer = [0; MESSAGE];
    loop {
        let received =
            requests.read_with(|fd| Ok(rustix::net::recv(fd, &mut buffer[..], RecvFlags::DONTWAIT)?.0)).await;
        match received {
            Ok(0) => break,
            Ok(count) => match unpack(&buffer[..count]).map(|frame| (frame.kind, codec::decode(frame.body()))) {
                Some((Kind::Ended, Ok(ended))) => books.ended(ended),
                _ => break,
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    books.orphaned();
}

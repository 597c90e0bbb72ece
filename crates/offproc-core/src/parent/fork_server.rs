//! The parent's side of a fork server: a helper process that forks workers on request.
//!
//! A request goes to the helper as one message with the new worker's connection; everything else is said on that
//! connection, by the helper (which process it is, with a pidfd) and by the worker itself. Only the ends of workers,
//! which the helper waits for as their parent, come back on the socket for requests.
//!
//! One worker is forked ahead: the spare, which waits for its hello as every new worker does. It is nobody's yet, and no
//! member of the context. A start that finds one does without a fork.

use super::keeper;
use super::launcher::{Guard, Launched, Launcher, Pairs, in_time, sealed};
use super::process::Process;
use super::runtime::{BoxFuture, Host};
use super::settings::Settings;
use super::spawn::Spawn;
use super::start::greet;
use super::turn::Turn;
use super::worker::Worker;
use crate::error::{BrokenWorkerError, Error};
use crate::sys::descriptors::{self, Descriptor};
use crate::sys::messages::send_with;
use crate::wire::codec;
use crate::wire::fork::{Ended, Fork, MESSAGE, pack, unpack};
use crate::wire::frame::Kind;
use async_io::Async;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    running: Arc<Mutex<Option<Arc<Helper>>>>,
    failures: Arc<Mutex<Failures>>,
}

/// How often a helper could not be started, and why the last time.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last: Option<Arc<io::Error>>,
}

/// The same error for one more.
fn share(error: &Arc<io::Error>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), Arc::clone(error)),
    }
}

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

    fn lock_running(&self) -> MutexGuard<'_, Option<Arc<Helper>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ForkServer {
    pub(crate) fn new(settings: Settings) -> Self {
        let (put, take) = async_channel::bounded(1);
        let _ = put.try_send(None);
        Self {
            settings: Arc::new(settings),
            slot: Slot { put, take, running: Arc::default(), failures: Arc::default() },
        }
    }
}

impl sealed::Sealed for ForkServer {}

impl Launcher for ForkServer {
    fn launch(&self, host: &Host, timeout: Duration) -> BoxFuture<io::Result<sealed::Started>> {
        let (slot, settings, host) = (self.slot.clone(), Arc::clone(&self.settings), host.clone());
        Box::pin(async move {
            // Twice at most: a helper that has died is replaced, one that dies at once is an error.
            for attempt in 0.. {
                let helper = running(&slot, &settings, &host).await?;
                match helper.launch(&host, timeout).await {
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

    fn prepare(&self) {
        let running = self.slot.lock_running().clone();
        let Some(helper) = running.filter(|helper| helper.begin_spare()) else { return };
        keeper::entrust(async move {
            async_io::Timer::after(LEISURE).await;
            // One that cannot be had is not tried for again until a worker has started without.
            let launched = helper.fork().await.ok();
            helper.end_spare(launched);
        });
    }

    fn close(&self, grace: BoxFuture<()>) -> BoxFuture<Option<BrokenWorkerError>> {
        let slot = self.slot.clone();
        Box::pin(async move {
            let taken = slot.take().await;
            let helper = taken.helper.as_ref().filter(|helper| !helper.worker.is_spent())?;
            helper.hang_up();
            helper.worker.process().wait_or_kill_overdue(grace).await
        })
    }

    fn end(&self, deadline: Instant) {
        let running = self.slot.lock_running().take();
        if let Some(helper) = running {
            helper.hang_up();
            helper.worker.process().wait_or_kill(deadline);
        }
    }
}

/// How long after a start the next worker is forked ahead, so that this does not compete with the first job.
const LEISURE: Duration = Duration::from_millis(1);

const GONE: Errno = Errno::PIPE;

/// The helper, started if need be; the others wait meanwhile, and what it fails of is their error, too.
async fn running(slot: &Slot, settings: &Settings, host: &Host) -> io::Result<Arc<Helper>> {
    let failures = slot.lock_failures().count;
    let mut taken = slot.take().await;
    if let Some(helper) = taken.helper.as_ref().filter(|helper| !helper.worker.is_spent()) {
        return Ok(Arc::clone(helper));
    }
    if let Failures { count, last: Some(error) } = &*slot.lock_failures()
        && *count != failures
    {
        return Err(share(error));
    }
    let helper = Helper::start(settings, host).await.map_err(|e| {
        let error = Arc::new(match e {
            Error::Spawn(e) if e.raw_os_error().is_some() => e,
            Error::Spawn(e) => io::Error::new(e.kind(), format!("the fork server could not be started: {e}")),
            e => io::Error::other(format!("the fork server could not be started: {e}")),
        });
        let mut failures = slot.lock_failures();
        (failures.count, failures.last) = (failures.count + 1, Some(Arc::clone(&error)));
        share(&error)
    })?;
    taken.helper = Some(Arc::clone(&helper));
    *slot.lock_running() = Some(Arc::clone(&helper));
    Ok(helper)
}

/// A running helper process. Dropping it kills it.
#[derive(Debug)]
struct Helper {
    worker: Worker,
    // One registration for all: for the starts that wait for room, and for the ends that are listened for.
    requests: Arc<Async<Descriptor>>,
    books: Arc<Books>,
    spare: Mutex<Spare>,
}

/// The worker that is forked ahead.
#[derive(Debug, Default)]
enum Spare {
    #[default]
    Missing,
    Coming,
    There(Launched),
    /// There is to be none any more.
    Unwanted,
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

    /// A worker to be, and its entry, struck off again unless it is kept.
    fn enter(&self) -> (Arc<Process>, Entry<'_>) {
        let process = Process::announced();
        let mut books = self.lock();
        books.0 += 1;
        let id = books.0;
        books.1.insert(id, Arc::clone(&process));
        (process, Entry { books: self, id })
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
            process.wait_here();
        }
    }
}

/// Made for a request that is not out yet.
struct Entry<'a> {
    books: &'a Books,
    id: u64,
}

impl Entry<'_> {
    /// The request is out.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.books.ended(Ended { id: self.id, reaped: None });
    }
}

impl Helper {
    async fn start(settings: &Settings, host: &Host) -> Result<Arc<Self>, Error> {
        let hello = settings.fork_server_hello().map_err(|reason| Error::Spawn(io::Error::other(reason)))?;
        let (requests, helper_requests) = descriptors::message_pair().map_err(Error::Spawn)?;
        let mut launched = Spawn.launch(host, settings.start_timeout).await.map_err(Error::Spawn)?.0;
        launched.descriptors.push(helper_requests);
        let worker = greet(launched, hello, settings, host).await?.into_helper(settings);
        let requests = Arc::new(Async::new_nonblocking(requests).map_err(Error::Spawn)?);
        let helper = Arc::new(Self { worker, requests, books: Arc::default(), spare: Mutex::default() });
        keeper::entrust(listen(Arc::clone(&helper.requests), Arc::clone(&helper.books)));
        Ok(helper)
    }

    /// Tells it to leave.
    fn hang_up(&self) {
        self.worker.process().set_leaving();
        *self.lock_spare() = Spare::Unwanted;
        let _ = rustix::net::shutdown(self.requests.get_ref(), Shutdown::Both);
    }

    fn lock_spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spare, if there is one.
    fn take_spare(&self) -> Option<Launched> {
        let mut spare = self.lock_spare();
        match std::mem::take(&mut *spare) {
            Spare::There(launched) => Some(launched).filter(|launched| !launched.process.0.has_ended()),
            other => {
                *spare = other;
                None
            }
        }
    }

    /// True for the one who is to see to it that there is a spare.
    fn begin_spare(&self) -> bool {
        let mut spare = self.lock_spare();
        let is_missing = matches!(*spare, Spare::Missing);
        if is_missing {
            *spare = Spare::Coming;
        }
        is_missing
    }

    fn end_spare(&self, launched: Option<Launched>) {
        let mut spare = self.lock_spare();
        if matches!(*spare, Spare::Coming) {
            *spare = launched.map_or(Spare::Missing, Spare::There);
        }
    }

    /// The spare, or a worker that is forked now.
    async fn launch(&self, host: &Host, timeout: Duration) -> io::Result<Launched> {
        let turn = Turn::take(host).await;
        let launched = match self.take_spare() {
            Some(spare) => Launched { is_spare: true, ..spare },
            None => in_time(host, timeout, self.fork()).await?,
        };
        Ok(Launched { turn: Some(turn), ..launched })
    }

    /// Has a worker forked. It may not have been forked yet when this returns.
    async fn fork(&self) -> io::Result<Launched> {
        let Pairs { control, worker_control, lifeline, worker_lifeline } = Pairs::open()?;
        // On the books before the request is out: its end may come at any moment after.
        let (process, entry) = self.books.enter();
        let launched = Launched::new(Guard(process), control, lifeline, worker_lifeline);
        self.request(Fork { id: entry.id }, worker_control).await?;
        entry.keep();
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

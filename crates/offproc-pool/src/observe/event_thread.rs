//! A thread that passes the background thread's events on to subscribers. The background thread must not wait for
//! foreign code, and a subscriber may block.
//!
//! It runs while there are events. Its queue is bounded: events that do not fit are counted, and an event reports the
//! count.

use super::foreign::run_foreign;
use futures_lite::future;
use offproc_core::{sleep, wake};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// How many events may wait.
const MOST: usize = 1024;

/// How long a close waits for events that came before it.
const PATIENCE: Duration = Duration::from_secs(1);

type Event = Box<dyn FnOnce() + Send>;

struct Queue {
    events: VecDeque<Event>,
    lost: u64,
    /// Since when the subscriber has the event that the thread took last; `None`: the thread does not run.
    since: Option<Instant>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { events: VecDeque::new(), lost: 0, since: None });

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Queues an event for the thread, and starts the thread if it does not run.
pub(super) fn send(event: Event) {
    let mut queue = lock();
    if queue.events.len() == MOST {
        queue.lost += 1;
        return;
    }
    queue.events.push_back(event);
    if queue.since.is_none() {
        let spawned = std::thread::Builder::new().name("offproc-events".into()).spawn(run);
        // If the system has no room for a thread, the next event tries again.
        queue.since = spawned.is_ok().then(Instant::now);
    }
}

fn run() {
    while let Some(event) = next() {
        run_foreign(event);
    }
}

fn next() -> Option<Event> {
    let mut queue = lock();
    let lost = std::mem::take(&mut queue.lost);
    let event = if lost > 0 { Some(count_lost(lost)) } else { queue.events.pop_front() };
    queue.since = event.as_ref().map(|_| Instant::now());
    event
}

fn count_lost(count: u64) -> Event {
    Box::new(move || {
        tracing::warn!(target: "offproc", count, "events were lost, as the subscriber did not keep up");
    })
}

/// Ready once subscribers have all events so far, or a moment later where a subscriber takes long.
pub(crate) async fn settled() {
    let delivery = Arc::new(Mutex::new(Delivery::default()));
    {
        let queue = lock();
        match queue.since {
            Some(since) if since.elapsed() < PATIENCE && queue.events.len() < MOST => {}
            // The thread does not run, or an earlier close has waited long enough for the same event.
            _ => return,
        }
    }
    let last = Arc::clone(&delivery);
    send(Box::new(move || {
        let waker = last.lock().unwrap_or_else(PoisonError::into_inner).complete();
        // It may poll the close at once, which locks.
        waker.into_iter().for_each(wake);
    }));
    let delivered = poll_fn(|cx| {
        let mut delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner);
        if delivery.is_done {
            return Poll::Ready(());
        }
        let replaced = delivery.waker.replace(cx.waker().clone());
        drop(delivery);
        drop(replaced);
        Poll::Pending
    });
    future::or(delivered, sleep(PATIENCE)).await;
}

#[derive(Default)]
struct Delivery {
    is_done: bool,
    waker: Option<Waker>,
}

impl Delivery {
    fn complete(&mut self) -> Option<Waker> {
        self.is_done = true;
        self.waker.take()
    }
}

//! Requests, as fast as they are answered or at a pace of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::kind::{HOSTILE_EVERY, Kind};
use super::tally::Tally;
use crate::under_test::Service;

/// Enough that requests leave on time while as many as the service may hold are under way.
const CLIENTS: usize = 48;

#[derive(Debug)]
pub(crate) struct Requests<'a> {
    pub(crate) service: &'a Service,
    pub(crate) picture: Vec<u8>,
}

impl Requests<'_> {
    /// Good ones alone, by as many clients as keep all CPUs busy and no picture waiting for long.
    pub(crate) fn as_fast_as_possible(&self, duration: Duration) -> Tally {
        let clients = 2 * thread::available_parallelism().map_or(1, usize::from);
        let start = Instant::now();
        self.by_clients(clients, |_| (start.elapsed() < duration).then(|| (Kind::Good, Instant::now())))
    }

    /// So many a second, whatever becomes of those before.
    pub(crate) fn at_rate(&self, rate: f64, duration: Duration) -> Tally {
        // At least one of each kind.
        let count = ((rate * duration.as_secs_f64()) as usize).max(3 * HOSTILE_EVERY);
        let start = Instant::now();
        self.by_clients(CLIENTS, |number| {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            (number < count).then(|| (Kind::of(number), due))
        })
    }

    /// `next` tells, for the number of a request, what it is and since when its time counts; `None` ends a client.
    fn by_clients(&self, clients: usize, next: impl Fn(usize) -> Option<(Kind, Instant)> + Sync) -> Tally {
        let (start, number) = (Instant::now(), AtomicUsize::new(0));
        let client = || {
            let mut tally = Tally::default();
            while let Some((kind, since)) = next(number.fetch_add(1, Ordering::Relaxed)) {
                let status = self.send(kind);
                tally.add(kind, status, since.elapsed());
            }
            tally
        };
        let mut tally = thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().expect("a client")).fold(Tally::default(), Tally::merge)
        });
        tally.elapsed = start.elapsed();
        tally
    }

    /// The status, or why there is none.
    fn send(&self, kind: Kind) -> Result<u16, String> {
        let (path, body) = match kind {
            Kind::Good => ("/thumbnail", &self.picture),
            Kind::Endless => ("/hostile/endless", &Vec::new()),
            Kind::Crash => ("/hostile/crash", &Vec::new()),
            Kind::Bomb => ("/hostile/bomb", &Vec::new()),
        };
        let mut answer = self.service.try_post(path, body).map_err(|error| error.to_string())?;
        answer.body_mut().read_to_vec().map_err(|error| error.to_string())?;
        Ok(answer.status().as_u16())
    }
}

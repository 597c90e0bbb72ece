//! Calls of several ways in turn, so that a disturbance affects all of them.

use crate::pause::Pause;
use crate::stats::Samples;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the calls follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// How often each way has its turn.
    pub(crate) rounds: usize,
    /// Calls in a turn.
    pub(crate) calls: usize,
    /// The first of them that do not count: the way before may still be spinning, and this one is not warm yet.
    pub(crate) settle: usize,
    /// The time before each call in which nothing is done; on tokio only.
    pub(crate) pause: Option<Duration>,
}

impl Rhythm {
    /// One call after the other.
    pub(crate) fn steady(rounds: usize) -> Self {
        Self { rounds, calls: 64, settle: 8, pause: None }
    }

    /// Each call after a pause. The first call counts like every other: the pause lets each way fall asleep.
    pub(crate) fn paused(rounds: usize, pause: Duration) -> Self {
        Self { rounds, calls: 8, settle: 0, pause: Some(pause) }
    }
}

type Turn = Pin<Box<dyn Future<Output = Samples> + Send>>;

/// One way to have a function called.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    turn: Box<dyn Fn(usize, Option<Arc<Pause>>) -> Turn + Send + Sync>,
}

impl Way {
    /// `call` makes one call. Only a turn is boxed, so that the comparison itself costs no call anything.
    pub(crate) fn new<C, F>(name: &'static str, call: C) -> Self
    where
        C: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send,
    {
        let turn = move |calls: usize, pause: Option<Arc<Pause>>| {
            let call = call.clone();
            let turn = async move {
                let mut samples = Samples::default();
                for _ in 0..calls {
                    if let Some(pause) = &pause {
                        pause.wait().await.expect("a timer can be waited for");
                    }
                    let begin = Instant::now();
                    call().await;
                    samples.push(begin.elapsed());
                }
                samples
            };
            Box::pin(turn) as Turn
        };
        Self { name, turn: Box::new(turn) }
    }

    /// A way that blocks the calling thread.
    pub(crate) fn blocking(name: &'static str, call: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        Self::new(name, move || {
            call();
            std::future::ready(())
        })
    }
}

/// Gives each way its turns, in an order that is drawn anew for each round, and returns their samples in the order of
/// `ways`.
pub(crate) async fn interleave(ways: Arc<[Way]>, rhythm: Rhythm) -> Vec<Samples> {
    let pause = rhythm.pause.map(|time| Arc::new(Pause::new(time).expect("a timer can be made")));
    let mut samples = vec![Samples::default(); ways.len()];
    let mut order: Vec<usize> = (0..ways.len()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    // Workers and threads are started, and buffers reach their size.
    for way in ways.iter() {
        (way.turn)(16, None).await;
    }
    for _ in 0..rhythm.rounds {
        dice.shuffle(&mut order);
        for &index in &order {
            let mut turn = (ways[index].turn)(rhythm.calls, pause.clone()).await;
            turn.skip(rhythm.settle);
            samples[index].append(turn);
        }
    }
    samples
}

/// Marsaglia's xorshift: the order must only not be regular, and the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    #[allow(clippy::cast_possible_truncation, reason = "the result is below a length")]
    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, (self.roll() % (last as u64 + 1)) as usize);
        }
    }
}

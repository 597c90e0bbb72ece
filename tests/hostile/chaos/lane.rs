//! One caller: calls, one after the other, in all manners.

use crate::audit::{End, Record};
use crate::jobs::{self, Crash, Deed};
use crate::plan::{self, Close, Fate, When};
use crate::pools::{self, Pools};
use crate::progress;
use fastrand::Rng;
use futures::future::{Either, join, join_all, select};
use offproc::{Error, Limiter, RunSync, SharedBytes, WorkerContext, cache_scope, run_sync};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::VecDeque;
use std::future::{Future, IntoFuture, poll_fn};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Where a call goes.
#[derive(Clone, Debug)]
enum Place {
    /// The innermost scope's context, or the default one.
    Current,
    Context(WorkerContext),
}

/// What a call is to be, all drawn before anything happens.
#[derive(Debug)]
struct Call {
    id: u32,
    deed: Deed,
    fate: Fate,
    place: Place,
    limiter: Option<Limiter>,
}

pub(crate) async fn lane(mut rng: Rng, ids: Range<u32>, pools: Arc<Pools>, path: String) -> Vec<Record> {
    let mut ids: VecDeque<u32> = ids.collect();
    let mut records = Vec::with_capacity(ids.len());
    while let Some(id) = ids.pop_front() {
        if rng.u32(0..150) == 0 {
            let mut batch = vec![id];
            batch.extend(ids.drain(..rng.usize(0..8).min(ids.len())));
            records.extend(with_own_context(&mut rng, &batch, &pools, &path).await);
        } else {
            let place = match rng.usize(0..=pools.contexts.len()) {
                0 => Place::Current,
                n => Place::Context(pools.contexts[n - 1].clone()),
            };
            records.push(perform(draw(&mut rng, id, place, &pools)).await);
        }
    }
    records
}

fn draw(rng: &mut Rng, id: u32, place: Place, pools: &Pools) -> Call {
    let deed = plan::deed(rng);
    let limiter = match rng.u32(0..4) {
        0 => Some(pools.narrow.clone()),
        1 => Some(Limiter::new(1)),
        _ => None,
    };
    Call { id, deed, fate: plan::fate(rng, deed), place, limiter }
}

/// A few calls side by side in a context of their own.
async fn with_own_context(rng: &mut Rng, ids: &[u32], pools: &Pools, path: &str) -> Vec<Record> {
    let (builder, close) = (pools::transient(rng, path), plan::close(rng));
    let mut batch =
        |place: &Place| -> Vec<Call> { ids.iter().map(|id| draw(rng, *id, place.clone(), pools)).collect() };
    match close {
        Close::Scope(time) => {
            let calls = batch(&Place::Current);
            let swept: Vec<_> = calls.iter().map(|call| (call.id, call.deed, call.fate)).collect();
            let ended = Mutex::new(Vec::new());
            let perform = async |call| {
                let record = perform(call).await;
                ended.lock().expect("no panics").push(record);
            };
            let scope = Box::pin(cache_scope(builder, join_all(calls.into_iter().map(perform))));
            match time {
                Some(time) => drop(select(scope, smol::Timer::after(time)).await),
                // It may report a worker that was killed while idle, or an abandoned job that crashed.
                None => drop(scope.await),
            }
            let mut records = std::mem::take(&mut *ended.lock().expect("no panics"));
            for (id, deed, fate) in swept {
                if !records.iter().any(|record| record.id == id) {
                    progress::step();
                    records.push(Record { id, deed, fate, workers: None, end: End::Swept });
                }
            }
            records
        }
        Close::After | Close::Amid | Close::Dropped => {
            let context = builder.open().expect("valid settings");
            let calls = join_all(batch(&Place::Context(context.clone())).into_iter().map(perform));
            match close {
                Close::Amid => {
                    // Some of the calls are under way by then, and some are not.
                    let close = async {
                        smol::future::yield_now().await;
                        context.close().await
                    };
                    join(calls, close).await.0
                }
                Close::After => {
                    let records = calls.await;
                    let _ = context.close().await;
                    records
                }
                _ => calls.await,
            }
        }
    }
}

async fn perform(call: Call) -> Record {
    let Call { id, deed, fate, place, limiter } = call;
    let bytes = |count| -> Vec<u8> { (0..count).map(|n| (n as u32 ^ id) as u8).collect() };
    let workers = match &place {
        Place::Current => None,
        Place::Context(context) => Some((context.worker_type(), context.transport())),
    };
    let how = How { fate, limiter };
    let end = match deed {
        Deed::Bytes(count) => {
            let sent = bytes(count);
            how.follow(place.call(jobs::echo, (id, sent.clone())), |got| assert_eq!(got, sent)).await
        }
        Deed::Shared(count) => {
            let sent = bytes(count);
            let shared = SharedBytes::copy_from_slice(&sent).expect("memory");
            how.follow(place.call(jobs::echo_shared, (id, shared)), |(got, copy)| {
                assert!(*got == *sent && *copy == *sent, "other bytes came back");
            })
            .await
        }
        Deed::File => how.follow(place.call(jobs::open, id), |fd| assert!(fd.0.metadata().is_ok(), "a file")).await,
        Deed::BadArgument => how.follow(place.call(jobs::take, (id, jobs::Unspeakable)), |()| {}).await,
        Deed::BadResult => how.follow(place.call(jobs::give, id), |_| panic!("it cannot be sent")).await,
        Deed::Crash(Crash::MidAnswer) => {
            how.follow(place.call(jobs::give_half, id), |_| panic!("half an answer")).await
        }
        _ => how.follow(place.call(jobs::run, (id, deed)), |got| assert_eq!(got, id)).await,
    };
    progress::step();
    Record { id, deed, fate, workers, end }
}

impl Place {
    fn call<A, R>(&self, f: fn(A) -> R, arg: A) -> RunSync<A, R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        match self {
            Self::Current => run_sync(f, arg),
            Self::Context(context) => context.run_sync(f, arg),
        }
    }
}

struct How {
    fate: Fate,
    limiter: Option<Limiter>,
}

impl How {
    async fn follow<A, R>(self, call: RunSync<A, R>, check: impl FnOnce(R)) -> End
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let call = match &self.limiter {
            Some(limiter) => call.limiter(limiter),
            None => call,
        };
        let outcome = match self.fate {
            Fate::Await => call.await,
            // If its scope is dropped, nothing else would end an endless one.
            Fate::Limit(limit) => call.kill_on_cancel(true).time_limit(limit).await,
            Fate::Drop { when, kill } => {
                let mut call = call.kill_on_cancel(kill).into_future();
                match until(&mut call, when).await {
                    Some(outcome) => outcome,
                    None => {
                        let was_running = format!("{call:?}").contains("running");
                        drop(call);
                        return End::Dropped { was_running };
                    }
                }
            }
        };
        match outcome {
            Ok(result) => {
                check(result);
                End::Answered
            }
            Err(Error::Panicked(e)) => {
                assert_eq!(e.message(), "chaos");
                End::Panicked
            }
            Err(Error::BrokenWorker(e)) => End::Broken(e),
            Err(Error::TimedOut) => End::TimedOut,
            Err(Error::Closed) => End::Closed,
            Err(Error::Encode(_)) => End::Unsendable,
            Err(Error::Spawn(e)) => {
                eprintln!("a start failed: {e}");
                End::NotStarted
            }
            Err(e) => panic!("no such error was asked for: {e:?}"),
        }
    }
}

/// Drives a call until it is to be dropped. Its outcome, should it end before that.
async fn until<F: Future + Unpin>(call: &mut F, when: When) -> Option<F::Output> {
    match when {
        When::Unpolled => None,
        When::Polls(count) => {
            for _ in 0..count {
                let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut *call).poll(cx))).await;
                if let Poll::Ready(outcome) = polled {
                    return Some(outcome);
                }
                smol::future::yield_now().await;
            }
            None
        }
        When::Time(time) => match select(call, smol::Timer::after(time)).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        },
    }
}

//! A map that is dropped: what has not begun does not run, neither what waits nor what a worker has.

use futures::executor::block_on;
use futures::{Stream, StreamExt};
use offproc::{Chunks, Transport, WorkerContext, WorkerContextBuilder, should_stop};
use offproc_tests::process::{is_stopped, must_end, send};
use offproc_tests::rendezvous::{Arrivals, Gate, arrive, pass};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::waiting::blocking_until;
use offproc_tests::{isolated, job};
use rustix::process::Signal;
use std::pin::pin;
use std::time::Duration;

isolated!(
    kills_a_chunk_with_kill_on_cancel,
    ends_a_chunk_with_the_item_that_runs,
    ends_a_chunk_that_is_folded_with_the_item_that_runs,
    runs_no_item_of_a_chunk_that_no_worker_has_begun,
    asks_the_item_that_runs_to_stop_with_a_cancel_grace,
    kills_an_item_that_does_not_stop_in_time,
    keeps_the_state_of_the_worker_that_ends_a_chunk,
);

/// Far longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// An item: where it leaves a trace, where it arrives and waits, its number.
type Item = (String, String, String, u32);

/// Leaves a trace; at item 3, arrives, and waits at a gate.
fn meet((path, ticket, gate, item): Item) {
    append(&path, &format!("{item} "));
    if item == 3 {
        arrive(&ticket);
        let _ = pass(&gate);
        append(&path, if should_stop() { "asked " } else { "passed " });
    }
}

/// A context with one worker, and a map of chunks of 20 whose item 3 runs.
struct Scene {
    path: String,
    arrivals: Arrivals,
    gate: Gate,
    _scratch: Scratch,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (arrivals, gate) = (Arrivals::new(&scratch, "arrivals"), Gate::new(&scratch, "gate"));
        Self { path: scratch.path("trace"), arrivals, gate, _scratch: scratch }
    }

    fn items(&self) -> impl Iterator<Item = Item> + use<> {
        let of_all = (self.path.clone(), self.arrivals.ticket(), self.gate.ticket());
        (0..40).map(move |item| (of_all.0.clone(), of_all.1.clone(), of_all.2.clone(), item))
    }

    /// Polls the map until its item 3 runs; the process.
    fn begin(&self, map: impl Stream) -> u32 {
        let mut map = pin!(map);
        let arrived = async {
            loop {
                match self.arrivals.try_next() {
                    Some(pid) => break pid,
                    None => async_std::task::yield_now().await,
                }
            }
        };
        match block_on(futures::future::select(map.next(), Box::pin(arrived))) {
            futures::future::Either::Right((pid, _)) => pid,
            futures::future::Either::Left(_) => panic!("no result comes before its chunk has ended"),
        }
    }
}

fn on_both_transports(test: impl Fn(WorkerContextBuilder, Scene)) {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        test(WorkerContext::builder().max_concurrency(1).transport(transport), Scene::new());
    }
}

fn until_the_token_is_back(context: &WorkerContext) {
    blocking_until(|| context.limiter().borrowed_tokens() == 0, || "the chunk has not ended".to_owned());
}

fn kills_a_chunk_with_kill_on_cancel() {
    on_both_transports(|builder, scene| {
        let context = builder.kill_on_cancel(true).open().unwrap();
        let mut map = context.map(meet, scene.items()).chunk_size(Chunks::Of(20));
        scene.begin(&mut map);
        drop(map);
        assert_eq!(context.limiter().borrowed_tokens(), 0);
        let _ = block_on(context.close());
        assert_eq!((context.statistics().killed, context.statistics().calls), (1, 1));
        assert_eq!(trace(&scene.path), "0 1 2 3 ");
    });
}

fn ends_a_chunk_with_the_item_that_runs() {
    on_both_transports(|builder, scene| {
        let context = builder.open().unwrap();
        let mut map = context.map(meet, scene.items()).chunk_size(Chunks::Of(20));
        let worker = scene.begin(&mut map);
        drop(map);
        assert_eq!((context.statistics().abandoned_jobs, context.limiter().borrowed_tokens()), (1, 1));
        scene.gate.admit_one();
        until_the_token_is_back(&context);
        assert_eq!(trace(&scene.path), "0 1 2 3 passed ");
        // Its worker takes other jobs, and runs all of their items.
        let pids: Vec<_> = context.map(|_: u32| std::process::id(), 0..20).chunk_size(Chunks::Of(20)).wait().collect();
        assert!(pids.len() == 20 && pids.iter().all(|pid| *pid.as_ref().unwrap() == worker));
        assert_eq!(context.run_sync(job::pid, ()).wait().unwrap(), worker);
        block_on(context.close()).unwrap();
        let now = context.statistics();
        assert_eq!((now.started, now.killed, now.crashed, now.calls), (1, 0, 0, 3));
    });
}

fn ends_a_chunk_that_is_folded_with_the_item_that_runs() {
    on_both_transports(|builder, scene| {
        let context = builder.open().unwrap();
        let map = context.map(meet, scene.items()).chunk_size(Chunks::Of(20));
        let fold = map.fold_in_workers(|| (), |(), ()| (), |(), ()| ());
        scene.begin(futures::stream::once(fold));
        scene.gate.admit_one();
        until_the_token_is_back(&context);
        assert_eq!(trace(&scene.path), "0 1 2 3 passed ");
        block_on(context.close()).unwrap();
    });
}

fn runs_no_item_of_a_chunk_that_no_worker_has_begun() {
    // Over a stream, the worker may have begun before it reads what comes behind the chunk.
    let scene = Scene::new();
    let context = WorkerContext::builder().max_concurrency(1).transport(Transport::SharedMemory).open().unwrap();
    let worker = context.run_sync(job::pid, ()).wait().unwrap();
    send(worker, Signal::STOP);
    blocking_until(|| is_stopped(worker), || "it has not stopped".to_owned());
    let note = |(path, item): (String, u32)| append(&path, &format!("{item} "));
    let mut map = context.map(note, (0..20).map(|item| (scene.path.clone(), item))).chunk_size(Chunks::Of(20));
    block_on(async { assert!(futures::poll!(map.next()).is_pending()) });
    drop(map);
    send(worker, Signal::CONT);
    until_the_token_is_back(&context);
    assert_eq!(trace(&scene.path), "");
    assert_eq!(context.run_sync(job::pid, ()).wait().unwrap(), worker);
    block_on(context.close()).unwrap();
}

/// As `meet`, but item 3 goes on until it is asked to stop.
fn work(item: Item) {
    append(&item.0, &format!("{} ", item.3));
    if item.3 == 3 {
        arrive(&item.1);
        while !should_stop() {
            std::hint::spin_loop();
        }
        append(&item.0, "asked ");
    }
}

fn asks_the_item_that_runs_to_stop_with_a_cancel_grace() {
    on_both_transports(|builder, scene| {
        let context = builder.kill_on_cancel(true).cancel_grace(LONG).open().unwrap();
        let mut map = context.map(work, scene.items()).chunk_size(Chunks::Of(20));
        let worker = scene.begin(&mut map);
        drop(map);
        until_the_token_is_back(&context);
        assert_eq!(trace(&scene.path), "0 1 2 3 asked ");
        assert_ne!(context.run_sync(job::pid, ()).wait().unwrap(), worker, "it leaves");
        block_on(context.close()).unwrap();
        assert_eq!((context.statistics().killed, context.statistics().crashed), (0, 0));
    });
}

fn kills_an_item_that_does_not_stop_in_time() {
    on_both_transports(|builder, scene| {
        let context = builder.kill_on_cancel(true).cancel_grace(Duration::from_millis(50)).open().unwrap();
        let mut map = context.map(meet, scene.items()).chunk_size(Chunks::Of(20));
        let worker = scene.begin(&mut map);
        drop(map);
        until_the_token_is_back(&context);
        must_end(worker);
        assert_eq!(trace(&scene.path), "0 1 2 3 ");
        block_on(context.close()).unwrap();
        assert_eq!(context.statistics().killed, 1);
    });
}

fn keeps_the_state_of_the_worker_that_ends_a_chunk() {
    fn meet_with(count: &mut u32, item: Item) -> u32 {
        meet(item);
        *count += 1;
        *count
    }
    on_both_transports(|builder, scene| {
        let context = builder.init_with(0, |count: u32| count).open().unwrap();
        let mut map = context.map_with(meet_with, scene.items()).chunk_size(Chunks::Of(20));
        scene.begin(&mut map);
        drop(map);
        scene.gate.admit_one();
        until_the_token_is_back(&context);
        assert_eq!(context.run_with(|count: &mut u32, ()| *count, ()).wait().unwrap(), 4);
        assert_eq!(context.statistics().states_built, 1);
        block_on(context.close()).unwrap();
    });
}

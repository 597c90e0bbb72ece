//! `map_with`: a function over many items, with the state of the worker that runs them. An item that panics costs it.

use futures::StreamExt;
use futures::executor::block_on;
use offproc::{Chunks, Error, Transport, WorkerContext, WorkerContextBuilder, map_with};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::untransferable::{Panics, Refuses};
use offproc_tests::{Case, isolated, job, matrix};
use std::collections::HashMap;

matrix!(lends_each_item_the_state_of_its_worker_and_each_runs_once);

isolated!(
    loses_the_state_with_an_item_that_panics_and_goes_on_with_another,
    prefers_a_worker_that_has_its_state,
    does_not_count_a_state_that_is_made_anew_as_a_job,
    goes_on_in_another_worker_after_a_crash,
    goes_on_in_another_worker_where_a_sandbox_keeps_the_state_from_being_made,
    is_an_error_for_each_item_in_a_context_of_another_state,
    has_the_failure_of_a_state_as_the_error_of_one_item,
    leaves_the_state_alone_where_an_item_has_not_begun,
    folds_what_it_has_before_the_state_is_lost,
    works_in_a_scope_and_by_default,
);

/// What a worker has, and where it writes what becomes of it.
struct Model {
    path: String,
    sum: u32,
}

impl Drop for Model {
    fn drop(&mut self) {
        append(&self.path, "drop\n");
    }
}

fn load(path: String) -> Model {
    append(&path, "load\n");
    Model { path, sum: 0 }
}

/// Adds the item, and leaves a trace of it.
fn add(model: &mut Model, item: u32) -> u32 {
    append(&model.path, &format!("{item}\n"));
    model.sum += 1;
    match item % 100 {
        37 => panic!("item {item}"),
        73 => job::end_at_once(3),
        _ => {}
    }
    model.sum
}

/// Both transports, with so many workers that have a model.
fn contexts(workers: usize, test: impl Fn(&WorkerContext, &str)) {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let scratch = Scratch::new();
        let path = scratch.path("trace");
        let context = builder(workers).transport(transport).init_with(path.clone(), load).open().unwrap();
        test(&context, &path);
        let _ = block_on(context.close());
    }
}

fn builder(workers: usize) -> WorkerContextBuilder {
    WorkerContext::builder().max_concurrency(workers)
}

fn runs(path: &str) -> HashMap<u32, usize> {
    let mut runs = HashMap::new();
    trace(path).lines().filter_map(|line| line.parse().ok()).for_each(|item| *runs.entry(item).or_default() += 1);
    runs
}

async fn lends_each_item_the_state_of_its_worker_and_each_runs_once(case: Case) {
    const ITEMS: u32 = 300;
    for chunks in [Chunks::Auto, Chunks::Of(1), Chunks::Of(7), Chunks::Of(1000)] {
        let scratch = Scratch::new();
        let path = scratch.path("trace");
        let context = case.builder().init_with(path.clone(), load).max_concurrency(2).open().unwrap();
        let results: Vec<_> = context.map_with(add, 0..ITEMS).chunk_size(chunks).collect().await;
        assert_eq!(results.len(), ITEMS as usize);
        for (item, result) in (0..).zip(&results) {
            match (item % 100, result) {
                (37, Err(Error::Panicked(panic))) => assert_eq!(panic.message(), format!("item {item}")),
                (73, Err(error)) => assert!(error.is_crash(), "{error}"),
                (_, result) => assert!((1..=ITEMS).contains(result.as_ref().unwrap()), "item {item}"),
            }
        }
        let runs = runs(&path);
        assert!(runs.len() as u32 == ITEMS && runs.values().all(|ran| *ran == 1), "{runs:?}");
        let statistics = context.statistics();
        assert_eq!((statistics.panicked, statistics.crashed), (3, 3));
        // Each state that was made is one that was lost, went with its worker, or is there.
        let made = trace(&path).matches("load").count() as u64;
        assert!(statistics.states_built == made && made >= 4, "{statistics:?}");
        context.close().await.unwrap();
        assert_eq!(trace(&path).matches("drop").count() as u64, made - 3);
    }
}

fn loses_the_state_with_an_item_that_panics_and_goes_on_with_another() {
    for size in [20, 1] {
        contexts(1, |context, path| {
            let results: Vec<_> = context.map_with(add, 30..50).chunk_size(Chunks::Of(size)).wait().collect();
            let sums: Vec<_> = results.into_iter().map(Result::ok).collect();
            let expected = (1..=7).map(Some).chain([None]).chain((1..=12).map(Some));
            assert_eq!(sums, expected.collect::<Vec<_>>(), "it begins anew behind the panic");
            let numbers = |items: std::ops::Range<u32>| items.map(|n| format!("{n}\n")).collect::<String>();
            assert_eq!(trace(path), format!("load\n{}drop\nload\n{}", numbers(30..38), numbers(38..50)));
            let now = context.statistics();
            assert_eq!((now.started, now.states_built, now.panicked), (1, 2, 1));
            assert_eq!(now.calls, if size == 20 { 2 } else { 20 });
            // A plain map has no part in it.
            assert!(context.map(|n: u32| assert!(n > 0), [0]).wait().all(|result| result.is_err()));
            assert_eq!(context.map_with(add, [0]).wait().map(Result::unwrap).sum::<u32>(), 13);
            assert_eq!(context.statistics().states_built, 2);
            // The last item of a map may lose it as well, for the next one, or for a call.
            assert!(context.map_with(add, [0, 37]).chunk_size(Chunks::Of(size)).wait().last().unwrap().is_err());
            assert_eq!(context.run_with(add, 1).wait().unwrap(), 1);
            assert_eq!(context.statistics().states_built, 3);
        });
    }
}

fn prefers_a_worker_that_has_its_state() {
    contexts(2, |context, _| {
        block_on(context.warm_up(2)).unwrap();
        let lone = context.limiter().try_acquire();
        assert!(lone.is_some(), "one chunk at a time");
        let results: Vec<_> = context.map_with(add, [37, 1, 2, 3]).chunk_size(Chunks::Of(4)).wait().collect();
        assert_eq!(results.into_iter().filter_map(Result::ok).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(context.statistics().states_built, 2, "the other worker had its own");
    });
}

/// After it there is no decision whether the worker retires; after each chunk there is one.
fn does_not_count_a_state_that_is_made_anew_as_a_job() {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        for (builder, workers) in [(builder(1).retire_after_jobs(3..=3), 1), (builder(1).retire(|| true), 3)] {
            let scratch = Scratch::new();
            let path = scratch.path("trace");
            let context = builder.transport(transport).init_with(path.clone(), load).open().unwrap();
            let results: Vec<_> = context.map_with(add, 36..42).chunk_size(Chunks::Of(2)).wait().collect();
            let sums: Vec<_> = results.into_iter().map(Result::ok).collect();
            // A worker that has lost its state makes it for the next chunk, if it stays.
            let next = if workers == 1 { [Some(3), Some(4)] } else { [Some(1), Some(2)] };
            assert_eq!(sums, [&[Some(1), None, Some(1), Some(2)], &next[..]].concat());
            context.close().wait().unwrap();
            let now = context.statistics();
            assert_eq!((now.started, now.retired, now.killed), (workers, workers, 0), "{transport:?}");
            assert_eq!(now.states_built, workers.max(2), "{transport:?}");
        }
    }
}

fn goes_on_in_another_worker_after_a_crash() {
    contexts(1, |context, path| {
        let results: Vec<_> = context.map_with(add, 70..80).chunk_size(Chunks::Of(10)).wait().collect();
        let sums: Vec<_> = results.into_iter().map(Result::ok).collect();
        assert_eq!(sums, [Some(1), Some(2), Some(3), None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)]);
        assert_eq!(trace(path).matches("drop").count(), 0, "it is gone with its process");
        let now = context.statistics();
        assert_eq!((now.started, now.crashed, now.states_built), (2, 1, 2));
    });
}

fn goes_on_in_another_worker_where_a_sandbox_keeps_the_state_from_being_made() {
    let scratch = Scratch::new();
    let context = builder(1).init_with(scratch.path("trace"), load).sandbox(|| ()).open().unwrap();
    let results: Vec<_> = context.map_with(add, 36..40).chunk_size(Chunks::Of(4)).wait().collect();
    let sums: Vec<_> = results.into_iter().map(Result::ok).collect();
    assert_eq!(sums, [Some(1), None, Some(1), Some(2)]);
    context.close().wait().unwrap();
    let now = context.statistics();
    assert_eq!((now.started, now.states_built, now.retired), (2, 2, 2));
}

fn is_an_error_for_each_item_in_a_context_of_another_state() {
    for wrong in [builder(1).open().unwrap(), builder(1).init_with(1_u64, |n| n).open().unwrap()] {
        // It waits for no token.
        let token = wrong.limiter().try_acquire();
        for unordered in [false, true] {
            let map = wrong.map_with(add, 0..1000);
            let map = if unordered { map.unordered() } else { map };
            let results: Vec<_> = block_on(map.collect());
            assert!(results.len() == 1000 && results.iter().all(|result| matches!(result, Err(Error::State(_)))));
        }
        let before = wrong.statistics().calls;
        assert_eq!(wrong.map_with(add, 0..30).chunk_size(Chunks::Of(10)).wait().count(), 30);
        assert_eq!(wrong.statistics().calls - before, 3, "a chunk is one");
        let mut endless = wrong.map_with(add, 0..).chunk_size(Chunks::Of(3));
        assert!((0..100).all(|_| matches!(block_on(endless.next()), Some(Err(Error::State(_))))));
        let folded = wrong.map_with(add, 0..10).fold_in_workers(|| 0, |a, b| a + b, |a, b| a + b).wait();
        assert_eq!((folded.value, folded.errors.len(), folded.lost), (0, 10, 0));
        drop((endless, token));
        assert!(wrong.map_with(add, [1]).wait().all(|result| matches!(result, Err(Error::State(_)))));
        assert_eq!((wrong.statistics().started, wrong.statistics().failed_starts), (0, 0));
        wrong.close().wait().unwrap();
    }
}

fn has_the_failure_of_a_state_as_the_error_of_one_item() {
    /// Fails every second time.
    fn load_first(path: String) -> Model {
        append(&path, "load\n");
        assert!(trace(&path).matches("load").count() % 2 == 1, "not a second time");
        Model { path, sum: 0 }
    }
    let scratch = Scratch::new();
    let context = builder(1).init_with(scratch.path("trace"), load_first).open().unwrap();
    let results: Vec<_> = context.map_with(add, 36..41).chunk_size(Chunks::Of(5)).wait().collect();
    let said = |result: &Result<u32, Error>| match result {
        Ok(sum) => sum.to_string(),
        Err(Error::Panicked(panic)) => panic.message().to_owned(),
        Err(other) => panic!("{other:?}"),
    };
    let said: Vec<_> = results.iter().map(said).collect();
    assert_eq!(said, ["1", "item 37", "not a second time", "1", "2"]);
    let runs = runs(&scratch.path("trace"));
    assert_eq!((runs.get(&38), runs.len()), (None, 4));
    context.close().wait().unwrap();
    assert_eq!(context.statistics().states_built, 2);
}

fn leaves_the_state_alone_where_an_item_has_not_begun() {
    type Item = Result<u32, Refuses>;
    fn look(model: &mut Model, item: Item) -> Result<u32, Refuses> {
        model.sum += 1;
        match item {
            Ok(5) => Err(Refuses { to_go: true }),
            _ => Ok(model.sum),
        }
    }
    contexts(1, |context, _| {
        let items = (0..10).map(|n| if n == 2 { Err(Refuses { to_go: false }) } else { Ok(n) });
        let results: Vec<_> = context.map_with(look, items).chunk_size(Chunks::Of(10)).wait().collect();
        let sums: Vec<_> = results.into_iter().map(|result| result.ok().map(Result::unwrap)).collect();
        let expected = [Some(1), Some(2), None, Some(3), Some(4), None, Some(6), Some(7), Some(8), Some(9)];
        assert_eq!(sums, expected, "neither an item that does not come, nor a result that does not go, costs it");
        assert_eq!((context.statistics().states_built, context.statistics().calls), (1, 1));
        // But a panic while it still has the state does, as in `run_with`.
        let panics = |_: &mut Model, item: u32| (item == 1).then_some(Panics);
        let results: Vec<_> = context.map_with(panics, 0..3).chunk_size(Chunks::Of(3)).wait().collect();
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(context.statistics().states_built, 2);
    });
}

fn folds_what_it_has_before_the_state_is_lost() {
    contexts(1, |context, path| {
        let map = context.map_with(add, 30..50).chunk_size(Chunks::Of(20));
        let folded = map.fold_in_workers(|| 0, |sum, n| sum + n, |a, b| a + b).wait();
        assert!(folded.errors.len() == 1 && folded.errors[0].is_panic(), "{:?}", folded.errors);
        assert_eq!((folded.value, folded.lost), ((1..=7).sum::<u32>() + (1..=12).sum::<u32>(), 0));
        assert_eq!(context.statistics().states_built, 2);
        // A panic of the fold itself is none of the function that has the state.
        let fold = |sum: u32, n: u32| if n == 14 { panic!("the fold") } else { sum + n };
        let map = context.map_with(add, 0..5).chunk_size(Chunks::Of(5));
        let folded = map.fold_in_workers(|| 0, fold, |a, b| a + b).wait();
        assert_eq!((folded.value, folded.errors.len(), folded.lost), (15 + 16 + 17, 1, 1));
        assert_eq!(context.statistics().states_built, 2);
        assert_eq!(runs(path).values().sum::<usize>(), 25);
    });
}

fn works_in_a_scope_and_by_default() {
    let add = |start: &mut u32, n: u32| *start + n;
    block_on(async {
        let builder = builder(2).init_with(40, |start: u32| start);
        let sums = offproc::cache_scope(builder, async move {
            map_with(add, futures::stream::iter([1, 2])).collect::<Vec<_>>().await
        });
        let sums: Vec<_> = sums.await.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(sums, [41, 42]);
        let by_default: Vec<_> = map_with(add, [1]).collect().await;
        assert!(matches!(by_default[..], [Err(Error::State(_))]));
    });
}

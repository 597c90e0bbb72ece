//! `map`: a function over many items, several in one job. Each item runs once, and what becomes of one is its own.

use futures::executor::block_on;
use futures::stream::FusedStream;
use futures::{Stream, StreamExt, poll};
use offproc::{Chunks, Error, Fd, Map, SharedBytes, Transport, WorkerContext, WorkerContextBuilder, map, should_stop};
use offproc_tests::process::{Family, kill};
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::untransferable::{Panics, Refuses};
use offproc_tests::{Case, isolated, job, matrix};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

matrix!(returns_results_in_order_and_each_item_runs_once);

isolated!(
    takes_iterators_and_streams,
    has_an_end_and_can_be_polled_after_it,
    keeps_the_results_beside_a_panic,
    keeps_the_results_beside_a_crash,
    keeps_the_results_beside_a_limit_that_passed,
    waits_without_a_runtime_and_in_one,
    takes_nothing_unasked_and_no_more_than_ahead,
    ends_with_what_is_taken_of_an_endless_source,
    goes_on_after_a_panic_of_the_source,
    goes_on_after_a_panic_of_an_item_that_is_sent,
    refuses_only_the_items_that_do_not_travel,
    carries_buffers_and_descriptors,
    splits_what_is_too_large_for_a_message,
    runs_no_item_twice_while_workers_are_killed,
    gets_an_error_for_each_item_of_a_closed_context,
    counts_for_no_queue,
    retires_a_worker_after_a_chunk,
    ends_a_chunk_early_where_it_is_asked_to_stop,
    folds_in_the_workers_and_combines_in_order,
    folds_all_but_what_panicked_or_went_with_a_worker,
    says_when_what_was_folded_does_not_travel,
);

/// Both transports, with so many workers.
fn contexts(workers: usize) -> impl Iterator<Item = WorkerContext> {
    [Transport::SharedMemory, Transport::Stream]
        .into_iter()
        .map(move |transport| builder(workers).transport(transport).open().unwrap())
}

fn builder(workers: usize) -> WorkerContextBuilder {
    WorkerContext::builder().max_concurrency(workers)
}

/// Leaves a trace of each item.
fn mark((path, item): (String, u32)) -> u32 {
    append(&path, &format!("{item}\n"));
    match item % 100 {
        37 => panic!("item {item}"),
        73 => job::end_at_once(3),
        _ => {}
    }
    item * 2
}

/// How often each item has run.
fn runs(path: &str) -> HashMap<u32, usize> {
    let mut runs = HashMap::new();
    trace(path).lines().for_each(|item| *runs.entry(item.parse().unwrap()).or_default() += 1);
    runs
}

fn assert_each_ran_once(path: &str, items: u32) {
    let runs = runs(path);
    let wrong: Vec<_> = (0..items).filter(|item| runs.get(item) != Some(&1)).collect();
    assert!(wrong.is_empty(), "did not run once: {wrong:?}");
    assert_eq!(runs.len() as u32, items);
}

fn assert_result(item: u32, result: &Result<u32, Error>) {
    match (item % 100, result) {
        (37, Err(Error::Panicked(panic))) => assert_eq!(panic.message(), format!("item {item}")),
        (73, Err(Error::BrokenWorker(death))) => assert_eq!(death.exit_status().unwrap().code(), Some(3)),
        (37 | 73, other) => panic!("item {item}: {other:?}"),
        (_, result) => assert_eq!(*result.as_ref().unwrap(), item * 2, "item {item}"),
    }
}

async fn returns_results_in_order_and_each_item_runs_once(case: Case) {
    const ITEMS: u32 = 300;
    let scratch = Scratch::new();
    let context = case.builder().max_concurrency(2).open().unwrap();
    for (round, chunks) in [Chunks::Auto, Chunks::Of(1), Chunks::Of(7), Chunks::Of(1000)].into_iter().enumerate() {
        let path = scratch.path(&round.to_string());
        let items = (0..ITEMS).map(|item| (path.clone(), item));
        let results: Vec<_> = context.map(mark, items).chunk_size(chunks).collect().await;
        assert_eq!(results.len(), ITEMS as usize);
        (0..).zip(&results).for_each(|(item, result)| assert_result(item, result));
        assert_each_ran_once(&path, ITEMS);
    }
    let crashes = context.statistics().crashed;
    assert_eq!(crashes, 4 * 3);
    context.close().await.unwrap();
}

fn takes_iterators_and_streams() {
    fn assert_kinds<T: Unpin + Send>(_: &T) {}
    let context = builder(2).open().unwrap();
    let double = |n: u64| n * 2;
    let from_range = context.map(|n| n + 1, 0..5_u64);
    assert_kinds(&from_range);
    assert_kinds(&context.map(double, vec![1, 2]));
    let from_stream = context.map(double, futures::stream::iter([1, 2, 3]));
    assert_kinds(&from_stream);
    let pending = futures::stream::iter([1, 2, 3]).then(|n| async move {
        async_std::task::yield_now().await;
        n
    });
    let sum = |map: Vec<Result<u64, Error>>| map.into_iter().map(Result::unwrap).sum::<u64>();
    assert_eq!(sum(block_on(from_range.collect())), 15);
    assert_eq!(sum(block_on(from_stream.collect())), 12);
    assert_eq!(sum(block_on(context.map(double, pending).collect())), 12);
    assert_eq!(sum(block_on(context.map(|()| 7, [(); 10]).collect())), 70);
    assert_eq!(sum(block_on(context.map(|text: String| text.len() as u64, ["a".repeat(1 << 20)]).collect())), 1 << 20);
    assert_eq!(sum(block_on(map(double, 0..3).collect())), 6);
    let unordered: Vec<_> = block_on(context.map(double, 0..1000).unordered().collect());
    assert_eq!(sum(unordered), 999_000);
    block_on(context.close()).unwrap();
}

fn has_an_end_and_can_be_polled_after_it() {
    let context = builder(1).open().unwrap();
    let mut none = context.map(|n: u32| n, []);
    assert!(block_on(none.next()).is_none() && none.is_terminated() && block_on(none.next()).is_none());
    assert_eq!(context.statistics().started, 0);
    let mut one = context.map(|n: u32| n, [1]);
    assert_eq!(one.size_hint(), (1, Some(1)));
    assert!(!one.is_terminated());
    assert_eq!(block_on(one.next()).unwrap().unwrap(), 1);
    assert!(block_on(one.next()).is_none() && one.is_terminated());
    assert_eq!(one.size_hint(), (0, Some(0)));
    block_on(context.close()).unwrap();
}

fn keeps_the_results_beside_a_panic() {
    for context in contexts(2) {
        let map: Map<_, _> = context.map(|n: u32| 100 / (n % 10), 0..1000).chunk_size(Chunks::Of(100));
        let results: Vec<_> = block_on(map.collect());
        for (item, result) in (0..).zip(results) {
            match result {
                Ok(result) => assert_eq!(result, 100 / (item % 10)),
                Err(Error::Panicked(panic)) => assert!(item % 10 == 0 && panic.message().contains("divide by zero")),
                Err(other) => panic!("item {item}: {other}"),
            }
        }
        let now = context.statistics();
        assert_eq!((now.calls, now.panicked, now.crashed), (10, 10, 0), "a chunk is one job");
        block_on(context.close()).unwrap();
    }
}

fn keeps_the_results_beside_a_crash() {
    for context in contexts(1) {
        let scratch = Scratch::new();
        let path = scratch.path("marks");
        let items = (0..200).map(|item| (path.clone(), item));
        let results: Vec<_> = block_on(context.map(mark, items).chunk_size(Chunks::Of(200)).collect());
        (0..).zip(&results).for_each(|(item, result)| assert_result(item, result));
        assert_each_ran_once(&path, 200);
        // One chunk for each death, and the last.
        assert_eq!((context.statistics().calls, context.statistics().crashed), (3, 2));
        block_on(context.close()).unwrap();
    }
}

fn keeps_the_results_beside_a_limit_that_passed() {
    fn spin_at_5((path, item): (String, u32)) -> u32 {
        append(&path, &format!("{item}\n"));
        if item == 5 { job::spin() } else { item }
    }
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let scratch = Scratch::new();
        let path = scratch.path("marks");
        let context = builder(1).transport(transport).time_limit(Duration::from_secs(2)).open().unwrap();
        let items = (0..20).map(|item| (path.clone(), item));
        let results: Vec<_> = block_on(context.map(spin_at_5, items).chunk_size(Chunks::Of(20)).collect());
        for (item, result) in (0..).zip(results) {
            match result {
                Err(Error::TimedOut) => assert_eq!(item, 5),
                other => assert_eq!(other.unwrap(), item),
            }
        }
        assert_each_ran_once(&path, 20);
        let now = context.statistics();
        assert_eq!((now.killed, now.crashed, now.timed_out), (1, 0, 1));
        block_on(context.close()).unwrap();
    }
}

fn waits_without_a_runtime_and_in_one() {
    let context = builder(2).open().unwrap();
    let sum = || context.map(|n: u64| n + 1, 0..1000).wait().map(Result::unwrap).sum::<u64>();
    assert_eq!(sum(), 500_500);
    assert_eq!(block_on(async { sum() }), 500_500);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(async { sum() }), 500_500);
    let in_a_job = context.run_sync(|()| map(|n: u64| n, 0..10).wait().map(Result::unwrap).sum::<u64>(), ());
    assert_eq!(in_a_job.wait().unwrap(), 45);
    context.close().wait().unwrap();
}

fn takes_nothing_unasked_and_no_more_than_ahead() {
    let context = builder(2).open().unwrap();
    for (ahead, chunks) in [(1, Chunks::Auto), (2, Chunks::Of(7)), (10, Chunks::Of(3)), (100, Chunks::Auto)] {
        for unordered in [false, true] {
            let (pulled, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let source = (0..500_u64).inspect(|_| {
                let outstanding = pulled.fetch_add(1, Ordering::Relaxed) + 1 - taken.load(Ordering::Relaxed);
                assert!(outstanding <= ahead, "{outstanding} items are taken");
            });
            let map = context.map(|n| n, source).ahead(ahead).chunk_size(chunks);
            let mut map = if unordered { map.unordered() } else { map };
            assert_eq!(pulled.load(Ordering::Relaxed), 0);
            let mut sum = 0;
            while let Some(result) = block_on(map.next()) {
                sum += result.unwrap();
                taken.fetch_add(1, Ordering::Relaxed);
            }
            assert_eq!((sum, taken.load(Ordering::Relaxed)), (124_750, 500));
        }
    }
    block_on(context.close()).unwrap();
}

fn ends_with_what_is_taken_of_an_endless_source() {
    let context = builder(2).open().unwrap();
    let pulled = AtomicUsize::new(0);
    let endless = (0_u64..).inspect(|_| _ = pulled.fetch_add(1, Ordering::Relaxed));
    let mut map = context.map(|n| n * 2, endless);
    for n in 0..1000 {
        assert_eq!(block_on(map.next()).unwrap().unwrap(), n * 2);
    }
    assert!(!map.is_terminated() && pulled.load(Ordering::Relaxed) < 1_000_000);
    drop(map);
    let first: Vec<_> = block_on(context.map(|n: u64| n, futures::stream::repeat(7)).take(10).collect());
    assert!(first.iter().all(|result| *result.as_ref().unwrap() == 7));
    block_on(context.close()).unwrap();
}

fn goes_on_after_a_panic_of_the_source() {
    let context = builder(2).open().unwrap();
    let source = (0..).inspect(|n| assert!(*n != 10, "the source"));
    let mut map = context.map(|n: u32| n, source).chunk_size(Chunks::Of(4));
    let (mut results, mut panics) = (Vec::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| block_on(map.next()))) {
            Ok(Some(result)) => results.push(result.unwrap()),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    assert_eq!((results, panics), ((0..10).collect(), 1));
    assert!(map.is_terminated());
    block_on(context.close()).unwrap();
}

fn goes_on_after_a_panic_of_an_item_that_is_sent() {
    for context in contexts(1) {
        let items = (0..10).map(|n| if n == 6 { Err(Panics) } else { Ok(n) });
        let mut map = context.map(Result::unwrap, items).chunk_size(Chunks::Of(10));
        let (mut results, mut panics) = (Vec::new(), 0);
        loop {
            match catch_unwind(AssertUnwindSafe(|| block_on(map.next()))) {
                Ok(Some(result)) => results.push(result),
                Ok(None) => break,
                Err(_) => panics += 1,
            }
        }
        assert!(panics > 0);
        for (item, result) in (0..).zip(&results) {
            match result {
                Err(Error::Encode(_)) => assert_eq!(item, 6),
                other => assert_eq!(*other.as_ref().unwrap(), item),
            }
        }
        assert_eq!(results.len(), 10);
        block_on(context.close()).unwrap();
    }
}

fn refuses_only_the_items_that_do_not_travel() {
    fn refuse(item: Result<u32, Refuses>) -> Result<u32, Refuses> {
        match item {
            Ok(n) if n % 10 == 4 => Err(Refuses { to_go: true }),
            Ok(n) if n % 10 == 5 => Err(Refuses { to_go: false }),
            other => other,
        }
    }
    for context in contexts(2) {
        let items = (0..100).map(|n| match n % 10 {
            2 => Err(Refuses { to_go: true }),
            3 => Err(Refuses { to_go: false }),
            _ => Ok(n),
        });
        let results: Vec<_> = block_on(context.map(refuse, items).chunk_size(Chunks::Of(50)).collect());
        assert_eq!(results.len(), 100);
        for (item, result) in (0..).zip(results) {
            match (item % 10, result) {
                (2 | 4, Err(Error::Encode(error))) => assert!(error.to_string().contains("stays here"), "{error}"),
                (3 | 5, Err(Error::Decode(error))) => assert!(error.to_string().contains("does not come"), "{error}"),
                (_, result) => assert_eq!(result.unwrap().unwrap(), item),
            }
        }
        assert_eq!(context.statistics().crashed, 0);
        block_on(context.close()).unwrap();
    }
}

fn carries_buffers_and_descriptors() {
    for context in contexts(2) {
        let shared = SharedBytes::copy_from_slice(&[7; 100_000]).unwrap();
        let items = (0..40_u8).map(|n| (n, shared.clone()));
        let f = |(n, bytes): (u8, SharedBytes)| match n % 3 {
            0 => bytes,
            1 => SharedBytes::copy_from_slice(&[n; 50_000]).unwrap(),
            _ => SharedBytes::copy_from_slice(&[n]).unwrap(),
        };
        let results: Vec<_> = block_on(context.map(f, items).chunk_size(Chunks::Of(40)).collect());
        for (n, result) in (0..).zip(results) {
            let expected = [(7, 100_000), (n, 50_000), (n, 1)][usize::from(n % 3)];
            let bytes = result.unwrap();
            assert_eq!((bytes[0], bytes.len()), expected, "item {n}");
        }
        // Either way there are more descriptors than one message takes.
        let files = (0..200).map(|n: u32| {
            let mut file = offproc_tests::scratch::unnamed_file();
            file.write_all(n.to_string().as_bytes()).unwrap();
            Fd(file)
        });
        let back = context.map(|file: Fd<File>| file, files).chunk_size(Chunks::Of(200)).ahead(1000);
        for (n, file) in block_on(back.collect::<Vec<_>>()).into_iter().enumerate() {
            let (mut file, mut text) = (file.unwrap().0, String::new());
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, n.to_string());
        }
        block_on(context.close()).unwrap();
    }
}

fn splits_what_is_too_large_for_a_message() {
    const LIMIT: usize = 64 << 10;
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let context = builder(2).max_message_size(LIMIT).transport(transport).open().unwrap();
        // One in four is too large by itself, on its way there or back.
        let items = (0..40_usize).map(|n| (n, "x".repeat(if n % 8 == 3 { LIMIT } else { 40 << 10 })));
        let f = |(n, text): (usize, String)| if n % 8 == 7 { text.repeat(2) } else { text };
        let results: Vec<_> = block_on(context.map(f, items).chunk_size(Chunks::Of(40)).collect());
        for (n, result) in (0..).zip(results) {
            match (n % 8, result) {
                (3 | 7, Err(Error::Encode(error))) => assert!(error.to_string().contains("max_message_size")),
                (_, result) => assert_eq!(result.unwrap().len(), 40 << 10, "item {n}"),
            }
        }
        let texts = context.map(|n: usize| "x".repeat(n), vec![1 << 10; 500]).wait();
        assert!(texts.map(Result::unwrap).all(|text| text.len() == 1 << 10));
        block_on(context.close()).unwrap();
    }
}

fn runs_no_item_twice_while_workers_are_killed() {
    fn work((path, item): (String, u32)) -> u32 {
        append(&path, &format!("{item}\n"));
        item
    }
    const ITEMS: u32 = 3000;
    for context in contexts(2) {
        for chunks in [Chunks::Auto, Chunks::Of(50)] {
            let scratch = Scratch::new();
            let path = scratch.path("marks");
            let is_over = AtomicBool::new(false);
            let results = std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let seen = trace(&path).len();
                        Family::now().workers().first().copied().into_iter().for_each(kill);
                        // Once something has run since.
                        while trace(&path).len() < seen + 500 && !is_over.load(Ordering::Relaxed) {
                            std::thread::yield_now();
                        }
                    }
                });
                let items = (0..ITEMS).map(|item| (path.clone(), item));
                let results: Vec<_> = context.map(work, items).chunk_size(chunks).wait().collect();
                is_over.store(true, Ordering::Relaxed);
                results
            });
            assert_eq!(results.len(), ITEMS as usize);
            let runs = runs(&path);
            for (item, result) in (0..).zip(&results) {
                let ran = runs.get(&item).copied().unwrap_or(0);
                match result {
                    Ok(result) => assert_eq!((*result, ran), (item, 1)),
                    Err(error) => assert!(ran <= 1 && error.is_crash(), "item {item} ran {ran} times: {error}"),
                }
            }
        }
        let _ = block_on(context.close());
    }
}

fn gets_an_error_for_each_item_of_a_closed_context() {
    let context = builder(1).open().unwrap();
    let token = context.limiter().try_acquire();
    let mut waits = context.map(|n: u32| n, 0..100).chunk_size(Chunks::Of(10));
    block_on(async { assert!(poll!(waits.next()).is_pending()) });
    block_on(context.close()).unwrap();
    let results: Vec<_> = block_on(waits.collect());
    assert_eq!(results.len(), 100);
    assert!(results.iter().all(|result| matches!(result, Err(Error::Closed))), "{results:?}");
    drop(token);
    for unordered in [false, true] {
        let map = context.map(|n: u32| n, 0..1000);
        let results: Vec<_> = block_on(if unordered { map.unordered() } else { map }.collect());
        assert!(results.len() == 1000 && results.iter().all(|result| matches!(result, Err(Error::Closed))));
    }
    assert_eq!(context.statistics().started, 0);
}

fn counts_for_no_queue() {
    let context = builder(1).max_queue(1).open().unwrap();
    let token = context.limiter().try_acquire();
    block_on(async {
        let mut map = context.map(|n: u32| n, 0..100);
        assert!(poll!(map.next()).is_pending());
        let mut call = context.run_sync(|()| (), ());
        assert!(poll!(&mut call).is_pending(), "the map takes no place from it");
        assert!(context.run_sync(|()| (), ()).await.unwrap_err().is_overloaded());
        assert!(poll!(context.map(|n: u32| n, [1]).next()).is_pending(), "nor is it refused");
        drop(token);
        let (results, called) = futures::join!(map.collect::<Vec<_>>(), call);
        called.unwrap();
        assert!(results.len() == 100 && results.iter().all(Result::is_ok));
    });
    block_on(context.close()).unwrap();
}

fn retires_a_worker_after_a_chunk() {
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let context = builder(1).transport(transport).retire_after_jobs(1..=1).open().unwrap();
        let pids = context.map(|_: u32| std::process::id(), 0..40).chunk_size(Chunks::Of(10)).wait();
        let mut pids: Vec<_> = pids.map(Result::unwrap).collect();
        pids.dedup();
        assert_eq!(pids.len(), 4);
        block_on(context.close()).unwrap();
        assert_eq!((context.statistics().started, context.statistics().calls), (4, 4));
    }
}

fn ends_a_chunk_early_where_it_is_asked_to_stop() {
    fn until_asked(item: u32) -> bool {
        while item == 4 && !should_stop() {}
        should_stop()
    }
    for transport in [Transport::SharedMemory, Transport::Stream] {
        let soft = Duration::from_secs(1);
        let context = builder(1).transport(transport).soft_time_limit(soft).open().unwrap();
        let asked: Vec<_> = context.map(until_asked, 0..20).chunk_size(Chunks::Of(20)).wait().collect();
        let asked: Vec<_> = (0..).zip(asked).filter(|(_, asked)| *asked.as_ref().unwrap()).map(|(n, _)| n).collect();
        // The others run in a chunk of their own, with a time of their own.
        assert_eq!((asked, context.statistics().calls), (vec![4], 2));
        block_on(context.close()).unwrap();
    }
}

fn folds_in_the_workers_and_combines_in_order() {
    for context in contexts(2) {
        for chunks in [Chunks::Auto, Chunks::Of(1), Chunks::Of(7), Chunks::Of(1000)] {
            let join = |mut text: String, more: String| {
                text.push_str(&more);
                text
            };
            let map = context.map(|n: u32| format!("{n},"), 0..300).chunk_size(chunks);
            let folded = block_on(map.fold_in_workers(String::new, join, join));
            assert_eq!((folded.errors.len(), folded.lost), (0, 0));
            assert_eq!(folded.all().unwrap(), (0..300).map(|n| format!("{n},")).collect::<String>());
        }
        let none = context.map(|n: u32| n, []).fold_in_workers(|| 7, |a, b| a + b, |a, b| a + b).wait();
        assert_eq!(none.all().unwrap(), 7);
        block_on(context.close()).unwrap();
    }
}

fn folds_all_but_what_panicked_or_went_with_a_worker() {
    for context in contexts(1) {
        let scratch = Scratch::new();
        for (round, size) in [1, 20, 200].into_iter().enumerate() {
            let path = scratch.path(&round.to_string());
            let items = (0..200).map(|item| (path.clone(), item));
            let map = context.map(mark, items).chunk_size(Chunks::Of(size));
            let folded = map.fold_in_workers(Vec::new, push, join).wait();
            assert_each_ran_once(&path, 200);
            let (panics, crashes): (Vec<_>, Vec<_>) = folded.errors.iter().partition(|error| error.is_panic());
            assert_eq!((panics.len(), crashes.len()), (2, 2), "{:?}", folded.errors);
            assert!(crashes.iter().all(|error| error.is_crash()));
            assert_eq!(folded.value.len() + folded.lost, 196);
            // Those before 73 and 173 in their chunk, without 37 and 137 where they are among them.
            let lost = match size {
                1 => 0..0,
                20 => 60..73,
                _ => 0..73,
            };
            let others = |n: &u32| !lost.contains(&(n % 100)) && n % 100 != 37 && n % 100 != 73;
            let expected: Vec<_> = match size {
                // In the chunk of the second one are all that came behind the first.
                200 => (174..200).map(|n| n * 2).collect(),
                _ => (0..200).filter(others).map(|n| n * 2).collect(),
            };
            assert_eq!(folded.value, expected);
        }
        // A panic of the fold costs what was folded before in its chunk.
        let map = context.map(|n: u32| n, 0..10).chunk_size(Chunks::Of(5));
        let fold = |sum: u32, n: u32| if n == 7 { panic!("the fold") } else { sum + n };
        let folded = map.fold_in_workers(|| 0, fold, |a, b| a + b).wait();
        assert_eq!((folded.value, folded.errors.len(), folded.lost), (1 + 2 + 3 + 4 + 8 + 9, 1, 2));
        assert!(folded.all().unwrap_err().is_panic());
        let _ = block_on(context.close());
    }
}

fn push(mut all: Vec<u32>, one: u32) -> Vec<u32> {
    all.push(one);
    all
}

fn join(mut all: Vec<u32>, mut more: Vec<u32>) -> Vec<u32> {
    all.append(&mut more);
    all
}

fn says_when_what_was_folded_does_not_travel() {
    for context in contexts(1) {
        let map = context.map(|n: u32| n, 0..10).chunk_size(Chunks::Of(10));
        let fold = |_: Result<u32, Refuses>, n: u32| if n == 9 { Err(Refuses { to_go: true }) } else { Ok(n) };
        let folded = map.fold_in_workers(|| Ok(0), fold, |_, b| b).wait();
        assert!(matches!(folded.value, Ok(0)));
        assert!(matches!(&folded.errors[..], [Error::Encode(_)]), "{:?}", folded.errors);
        assert_eq!(folded.lost, 10);
        block_on(context.close()).unwrap();
    }
}

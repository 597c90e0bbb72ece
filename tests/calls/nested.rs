//! A job may make calls of its own, to a certain depth.

use futures::executor::block_on;
use offproc::{Error, run_sync};
use offproc_tests::{Case, job, matrix};

matrix!(except fork: works, is_bounded);
matrix!(is_never_a_hang);

fn nested_pids(_: ()) -> (u32, Result<u32, String>) {
    (std::process::id(), block_on(async { run_sync(job::pid, ()).await }).map_err(|e| e.to_string()))
}

async fn works(case: Case) {
    let context = case.context();
    let (worker, nested) = context.run_sync(nested_pids, ()).await.unwrap();
    let nested = nested.unwrap();
    assert!(nested != worker && nested != std::process::id());
    // The nested worker is cached like any other.
    assert_eq!(context.run_sync(nested_pids, ()).await.unwrap(), (worker, Ok(nested)));
    context.close().await.unwrap();
}

/// How deep the calls went, and the error that stopped them.
fn descend(depth: u32) -> (u32, String) {
    match block_on(async { run_sync(descend, depth + 1).await }) {
        Ok(deeper) => deeper,
        Err(e @ Error::Spawn(_)) => (depth, e.to_string()),
        Err(e) => (depth, format!("unexpected: {e:?}")),
    }
}

async fn is_bounded(case: Case) {
    let context = case.context();
    let (depth, stopped) = context.run_sync(descend, 1).await.unwrap();
    assert!((2..10).contains(&depth), "{depth}");
    assert!(stopped.contains("deep"), "{stopped}");
    context.close().await.unwrap();
}

/// A fork of the program cannot make calls, and says so.
async fn is_never_a_hang(case: Case) {
    let context = case.context();
    let (_, nested) = context.run_sync(nested_pids, ()).await.unwrap();
    if let Err(refusal) = nested {
        assert!(refusal.contains("fork of"), "{refusal}");
    }
    context.close().await.unwrap();
}

#!/usr/bin/env bash
# A crate that knows nothing of offproc but its ten lines, and forwarding: as a program, a test and a doc-test, in
# debug, in release, and with every setting that moves or strips code. With --program, as a program in debug alone; with
# --long, the tests with those settings, too.
# $CARGO may name another cargo, whose rustc is $RUSTC.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT
mkdir -p "$crate/src" "$crate/tests"

cat > "$crate/Cargo.toml" <<MANIFEST
[package]
name = "stranger"
version = "0.0.0"
edition = "2024"

[dependencies]
offproc = { path = "$here/../crates/offproc", features = ["tokio", "tracing"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
tracing = { version = "0.1", default-features = false }

[profile.extreme]
inherits = "release"
lto = "fat"
codegen-units = 1
panic = "abort"
strip = true

[workspace]
MANIFEST
cp "$here/../Cargo.lock" "$crate/Cargo.lock"

cat > "$crate/src/main.rs" <<'RUST'
use offproc::run_sync;
use std::sync::atomic::{AtomicU64, Ordering};

fn fibonacci(n: u32) -> u64 { if n < 2 { n.into() } else { fibonacci(n - 1) + fibonacci(n - 2) } }

#[tokio::main]
async fn main() -> Result<(), offproc::Error> {
    println!("{}", run_sync(fibonacci, 20).await?);
    // Under `panic = "abort"` as well, a panic is an error, and the next call works.
    match run_sync(|n: u32| -> u32 { panic!("no {n}") }, 7).await {
        Err(offproc::Error::Panicked(panic)) => assert_eq!(panic.message(), "no 7"),
        other => panic!("not a panic: {other:?}"),
    }
    assert_eq!(run_sync(fibonacci, 10).await?, 55);
    // That is no crash either, and if the worker has ended of it, it counts as retired.
    let now = offproc::default_context_statistics();
    assert_eq!((now.calls, now.panicked, now.crashed, now.killed), (3, 1, 0, 0));
    while cfg!(panic = "abort") && offproc::default_context_statistics().retired == 0 {
        tokio::task::yield_now().await;
    }
    has_a_state().await?;
    forwards().await
}

/// A panic costs the state of a worker, also where it ends the worker; the rest of a chunk runs with another one.
async fn has_a_state() -> Result<(), offproc::Error> {
    let builder = || offproc::WorkerContext::builder().max_concurrency(1);
    let add = |sum: &mut u64, n: u64| {
        assert!(n != 3, "no 3");
        *sum += n;
        *sum
    };
    let context = builder().init_with(40, |start: u64| start).open().unwrap();
    assert_eq!(context.run_with(add, 2).await?, 42);
    assert!(context.run_with(add, 3).await.unwrap_err().is_panic());
    assert_eq!(context.run_with(add, 1).await?, 41);
    let sums = context.map_with(add, 1..6).chunk_size(offproc::Chunks::Of(5)).wait().map(Result::ok);
    assert_eq!(sums.collect::<Vec<_>>(), [Some(42), Some(44), None, Some(44), Some(49)]);
    let now = context.statistics();
    let ended = if cfg!(panic = "abort") { 2 } else { 0 };
    assert_eq!((now.states_built, now.started, now.panicked, now.crashed), (3, 1 + ended, 2, 0));
    context.close().await.unwrap();
    let context = builder().init_with((), |()| -> u64 { panic!("no state") }).open().unwrap();
    assert!(context.run_with(add, 1).await.unwrap_err().is_panic());
    assert_eq!((context.statistics().states_built, context.statistics().failed_starts), (0, 1));
    context.close().await.unwrap();
    Ok(())
}

/// What a job has logged before its panic arrives before the error, also where the panic ends the worker.
async fn forwards() -> Result<(), offproc::Error> {
    tracing::subscriber::set_global_default(CountsOfJobs).unwrap();
    let context = offproc::WorkerContext::builder().forward_tracing(tracing::level_filters::LevelFilter::INFO);
    let context = context.open().unwrap();
    for round in 1..=3 {
        let says_and_panics = |()| -> () {
            (0..100).for_each(|n| tracing::info!(target: "job", n));
            panic!("after a hundred");
        };
        assert!(context.run_sync(says_and_panics, ()).await.unwrap_err().is_panic());
        assert_eq!(OF_JOBS.load(Ordering::SeqCst), round * 100);
    }
    context.close().await.unwrap();
    Ok(())
}

static OF_JOBS: AtomicU64 = AtomicU64::new(0);

struct CountsOfJobs;

impl tracing::Subscriber for CountsOfJobs {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "job"
    }

    fn event(&self, _: &tracing::Event<'_>) {
        OF_JOBS.fetch_add(1, Ordering::SeqCst);
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
RUST

cat > "$crate/src/lib.rs" <<'RUST'
//! ```
//! use offproc::run_sync;
//! # #[tokio::main]
//! # async fn main() -> Result<(), offproc::Error> {
//! assert_eq!(run_sync(|(a, b)| a + b, (1, 2)).await?, 3);
//! # Ok(())
//! # }
//! ```

/// What its users do not know to come from another process.
pub async fn doubled(n: u64) -> u64 {
    offproc::run_sync(|n| n * 2, n).await.unwrap()
}

#[tokio::test]
async fn in_a_unit_test() {
    assert_eq!(doubled(2).await, 4);
}
RUST

cat > "$crate/tests/integration.rs" <<'RUST'
#[test]
fn in_an_integration_test() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(stranger::doubled(21)), 42);
}
RUST

cargo=${CARGO:-cargo}
cd "$crate"
export CARGO_TARGET_DIR=${STRANGER_TARGET_DIR:-$crate/target}
unset RUSTFLAGS

run() {
    echo "+ $*"
    "$@"
}
program() {
    local printed
    printed=$(run "$cargo" run --quiet --bin stranger "$@" | tee >(cat >&2) | tail -n 1)
    [ "$printed" = 6765 ] || { echo "the program printed '$printed', not 6765"; exit 1; }
}

program
[ "${1:-}" != --program ] || exit 0
program --release
program --profile extreme
run "$cargo" test --quiet
if [ "${1:-}" = --long ]; then
    run "$cargo" test --quiet --profile extreme --lib --tests
fi
if "$cargo" nextest --version > /dev/null 2>&1; then
    run "$cargo" nextest run --show-progress none
else
    echo "cargo-nextest is not installed: the run under it is left out"
fi

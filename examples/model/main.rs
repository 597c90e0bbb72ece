//! A model that is loaded once in each worker, which has a core to itself; what becomes of it when a worker crashes,
//! and when a job panics.
//!
//! ```sh
//! cargo run --release --example model
//! ```

mod classifier;
mod digits;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use classifier::Classifier;
use digits::Picture;
use futures_util::{StreamExt, stream};
use offproc::{Error, WorkerContext, worker_index};
use serde::{Deserialize, Serialize};

const WORKERS: usize = 3;
const BATCH: usize = 50;

/// What a worker has: the model, and how long it took to load.
struct Engine {
    model: Classifier,
    loaded_in: Duration,
    answered: usize,
}

/// Runs once in each worker.
fn load(path: PathBuf) -> Engine {
    let start = Instant::now();
    let model = Classifier::read(&path).unwrap_or_else(|e| panic!("no model in {}: {e}", path.display()));
    Engine { model, loaded_in: start.elapsed(), answered: 0 }
}

/// Which digits the pictures show, and which worker says so.
#[derive(Serialize, Deserialize)]
struct Answer {
    digits: Vec<u8>,
    by: Worker,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Worker {
    index: usize,
    pid: u32,
    cpus: String,
}

fn classify(engine: &mut Engine, pictures: Vec<Picture>) -> Answer {
    engine.answered += pictures.len();
    let digits = pictures.iter().map(|picture| engine.model.digit(picture)).collect();
    let index = worker_index().expect("a job runs in a worker");
    Answer { digits, by: Worker { index, pid: std::process::id(), cpus: allowed_cpus().unwrap_or_default() } }
}

/// What a bug in the native part of an engine would do.
fn crash(_: &mut Engine, _: ()) {
    std::process::abort();
}

/// A picture that an engine is not made for leaves it half changed.
fn fail(engine: &mut Engine, _: ()) {
    engine.answered = usize::MAX;
    panic!("a picture without pixels");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("offproc-model-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = run(folder.join("digits.model")).await;
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn run(path: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let model = Classifier::train(&digits::labelled(4_000, 1));
    model.write(&path)?;
    println!("trained on 4000 pictures, and wrote {} bytes", std::fs::metadata(&path)?.len());

    let cpus = allowed_cpus().map(|list| numbers(&list)).unwrap_or_default();
    let context = WorkerContext::builder()
        .max_concurrency(WORKERS)
        .init_with(path, load)
        .per_worker(move |index, worker| {
            if !cpus.is_empty() {
                worker.cpu_affinity([cpus[index % cpus.len()]]);
            }
        })
        .open()?;

    let test = digits::labelled(3_000, 2);
    classify_all(&context, &test).await?;
    let loaded = context.run_with(|engine: &mut Engine, ()| engine.loaded_in, ()).await?;
    println!("loading took {loaded:.1?}, once in each worker: {} states built\n", context.statistics().states_built);

    match context.run_with(crash, ()).await {
        Err(Error::BrokenWorker(death)) => println!("{death}"),
        other => return Err(format!("a crash was to be a broken worker, not {other:?}").into()),
    }
    match context.run_with(fail, ()).await {
        Err(Error::Panicked(panic)) => println!("a job panicked: {}", panic.message()),
        other => return Err(format!("a panic was to be an error, not {other:?}").into()),
    }
    classify_all(&context, &test).await?;

    let statistics = context.statistics();
    println!(
        "{} states built by {} workers, of which {} crashed",
        statistics.states_built, statistics.started, statistics.crashed
    );
    if statistics.crashed != 1 || statistics.states_built <= statistics.started {
        return Err("one worker was to crash, and another to lose its state".into());
    }
    context.close().await?;
    Ok(())
}

/// Classifies all pictures, and prints how many digits were right, and who has done how many.
async fn classify_all(context: &WorkerContext, test: &[(Picture, u8)]) -> Result<(), Box<dyn std::error::Error>> {
    let batches = test.chunks(BATCH).map(|batch| async move {
        let pictures = batch.iter().map(|(picture, _)| picture.clone()).collect();
        let answer = context.run_with(classify, pictures).await?;
        let right = answer.digits.iter().zip(batch).filter(|(digit, (_, label))| *digit == label).count();
        Ok::<_, Error>((answer.by, batch.len(), right))
    });
    let mut done = stream::iter(batches).buffer_unordered(2 * WORKERS);
    let (mut workers, mut right) = (BTreeMap::<Worker, usize>::new(), 0);
    while let Some(batch) = done.next().await {
        let (worker, count, right_ones) = batch?;
        *workers.entry(worker).or_default() += count;
        right += right_ones;
    }
    let share = 100.0 * right as f64 / test.len() as f64;
    println!("{right} of {} digits are right ({share:.1} %)", test.len());
    for (Worker { index, pid, cpus }, count) in workers {
        println!("  index {index}, process {pid}, on CPU {cpus}: {count} pictures");
    }
    if share < 80.0 {
        return Err("the model has learnt too little".into());
    }
    Ok(())
}

/// The CPUs that this process may run on, as Linux lists them: `0-3,6`.
fn allowed_cpus() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(list.trim().to_owned())
}

fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

//! Makes thumbnails of every picture below a folder, in worker processes.
//!
//! ```sh
//! cargo run --release --example thumbnails                # on a sample set that it writes itself
//! cargo run --release --example thumbnails -- DIR OUT     # on real pictures
//! ```
//!
//! Decoders get files that they were never tested with. One panics, one takes all memory, one never ends. In a thread,
//! the first is a nuisance, the second ends the program, and the third cannot be stopped. In a worker process each of
//! them costs one worker, which is replaced, and one line of the summary.

mod find;
mod options;
mod outcome;
mod sample;
mod worker;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, io};

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use offproc::{Limiter, Resource, WorkerContext, run_sync};

use crate::find::Found;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::worker::sheet::{Sheet, Tile};
use crate::worker::thumbnail::Job;

// One thread is enough: the workers do all that takes time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Options::parse(env::args_os()) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(options)) => match run(&options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        },
        Err(error) => fail(error),
    }
}

fn fail(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("thumbnails: {error}");
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (dir, out) = match &options.folders {
        Some(folders) => folders.clone(),
        None => sample::write().await?,
    };
    let thumbnails = out.join("thumbnails");
    let sheet = out.join("contact-sheet.png");
    let Found { pictures, others, unreadable } = find::pictures(&dir, &[&thumbnails, &sheet])?;
    check_writable(&out, &thumbnails)?;
    println!(
        "{} pictures and {others} other files in {}. {} workers; {:?} and {} MiB a picture.",
        pictures.len(),
        dir.display(),
        options.jobs,
        options.time_limit,
        options.memory >> 20,
    );
    unreadable.iter().for_each(|problem| println!("Not looked into: {problem}"));

    let start = Instant::now();
    let outcomes = make_all(options, &dir, &thumbnails, &pictures).await?;
    let elapsed = start.elapsed();

    // Pasting thousands of thumbnails is work for a worker as well. The default context will do: its workers have
    // no memory limit, and these pictures are our own.
    let tile = |(picture, outcome): (&PathBuf, &Outcome)| match outcome {
        Outcome::Done(_) => Tile::Picture(thumbnail_of(&thumbnails, picture).into()),
        Outcome::Failed(failure, _) => Tile::Failed(*failure),
    };
    let tiles = pictures.iter().zip(&outcomes).map(tile).collect();
    let made = run_sync(Sheet::make, Sheet { tiles, size: options.size, to: sheet.clone().into() }).await;

    println!("\n{}", outcome::summary(&pictures, &outcomes, elapsed));
    println!("Thumbnails:    {}", thumbnails.display());
    made??;
    println!("Contact sheet: {}", sheet.display());
    Ok(())
}

/// One call for each picture, in order, and only a few at a time.
async fn make_all(
    options: &Options,
    dir: &Path,
    thumbnails: &Path,
    pictures: &[PathBuf],
) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let mut builder = WorkerContext::builder().init(worker::silence);
    if worker::LIMITED_BY_SYSTEM {
        // An allocation beyond this fails, which aborts a Rust program. Its core dump would be of no use.
        builder = builder.resource_limit(Resource::AddressSpace, options.memory).resource_limit(Resource::CoreSize, 0);
    }
    let context = builder.open()?;
    let limiter = Limiter::new(options.jobs);
    let bar = ProgressBar::new(pictures.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left {msg}")?);
    let mut failed = 0;

    let calls = stream::iter(pictures).map(|picture| {
        let (from, to) = (dir.join(picture), thumbnail_of(thumbnails, picture));
        let job = Job { from: from.into(), to: to.clone().into(), size: options.size, memory: options.memory };
        let call = context
            .run_sync(Job::run, job)
            .limiter(&limiter)
            .time_limit(options.time_limit)
            // If this loop is ever dropped, its jobs must not go on.
            .kill_on_cancel(true);
        async move {
            let outcome = Outcome::of(call.await);
            if matches!(outcome, Outcome::Failed(..)) {
                // What a killed worker left half written, and what an earlier run made of the same picture.
                let _ = fs::remove_file(worker::thumbnail::unfinished(&to));
                let _ = fs::remove_file(&to);
            }
            outcome
        }
    });
    // The limiter bounds the workers. This bounds the calls that wait for one; some do, so that no worker waits
    // while the pictures before it, whose results come first, take their time.
    let mut calls = calls.buffered(16 * options.jobs);
    let mut outcomes = Vec::with_capacity(pictures.len());
    while let Some(outcome) = calls.next().await {
        if matches!(outcome, Outcome::Failed(..)) {
            failed += 1;
            bar.set_message(format!("({failed} failed)"));
        }
        outcomes.push(outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // An unclean end of a worker is no reason to lose the results.
    if let Err(error) = context.close().await {
        eprintln!("thumbnails: {error}");
    }
    Ok(outcomes)
}

/// `a/b.jpg` becomes `a/b.jpg.png`: the whole name stays, so that `b.jpg` and `b.gif` get a thumbnail each.
fn thumbnail_of(thumbnails: &Path, picture: &Path) -> PathBuf {
    let mut name = thumbnails.join(picture).into_os_string();
    name.push(".png");
    name.into()
}

/// Better one error now than one for each picture later.
fn check_writable(out: &Path, thumbnails: &Path) -> Result<(), String> {
    let probe = thumbnails.join(".writable");
    fs::create_dir_all(thumbnails)
        .and_then(|()| fs::write(&probe, ""))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|error: io::Error| format!("cannot write into {}: {error}", out.display()))
}

//! `map`, on all cores: the results come in the order of the inputs, and the first error stops what
//! is still to do.
//!
//! ```sh
//! cargo run --release --example parallel_map
//! ```

use std::collections::HashSet;
use std::time::{Duration, Instant};
use std::{process, thread};

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use offproc::{Error, current_default_worker_limiter, default_context_statistics, run_sync};
use serde::{Serialize, de::DeserializeOwned};

/// The helper. It is a stream, so that inputs are taken, and results arrive, as the work goes on.
fn parallel_map<A, R>(f: fn(A) -> R, inputs: impl IntoIterator<Item = A>) -> impl Stream<Item = Result<R, Error>>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // The limiter bounds how many calls run at once: as many as there are CPUs, shared with all other calls of the
    // program. `buffered` only has to hold enough of them. As it keeps the order, one slow call at the front holds back
    // results behind it, so it holds some more.
    let ahead = 4 * current_default_worker_limiter().total_tokens();
    stream::iter(inputs).map(move |input| run_sync(f, input).kill_on_cancel(true).into_future()).buffered(ahead)
}

const STEP: u32 = 100_000;

/// Counts the primes in one part of the numbers, and says in which process. The higher the part, the
/// longer it takes.
fn count_primes(part: u32) -> (usize, u32) {
    let is_prime = |n: &u32| *n > 1 && !(2..).take_while(|d| d * d <= *n).any(|d| n.is_multiple_of(d));
    ((part * STEP..(part + 1) * STEP).filter(is_prime).count(), process::id())
}

/// Fails for one input of many, and those after it would keep us for an hour each.
fn fail_for_seven(n: u32) -> u32 {
    match n {
        ..7 => thread::sleep(Duration::from_millis(20)),
        7 => panic!("seven is too much for me"),
        8.. => thread::sleep(Duration::from_secs(3_600)),
    }
    n
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cpus = current_default_worker_limiter().total_tokens();
    // The longest first, so that the first to finish are not the first to be wanted.
    let parts = || (0..8 * cpus.min(4) as u32).rev();

    let start = Instant::now();
    let expected: Vec<usize> = parts().map(|part| count_primes(part).0).collect();
    let alone = start.elapsed();

    let start = Instant::now();
    let results: Vec<(usize, u32)> = parallel_map(count_primes, parts()).try_collect().await?;
    let together = start.elapsed();

    let (counts, workers): (Vec<usize>, HashSet<u32>) = results.into_iter().unzip();
    assert_eq!(counts, expected, "the same results, in the same order");
    assert_eq!(workers.len(), cpus.min(counts.len()), "a worker for each CPU");
    println!("{} results in order: {:?} …", counts.len(), &counts[..6]);
    println!("one after the other {alone:.0?}, with {} workers {together:.0?}\n", workers.len());

    // `try_collect` ends at the first error, and drops the stream. That drops the calls: those that run are killed,
    // those that wait for a token never run, and the inputs behind them are not even read.
    let mut taken = 0;
    let inputs = (0..1_000).inspect(|_| taken += 1);
    let start = Instant::now();
    let failed: Result<Vec<u32>, Error> = parallel_map(fail_for_seven, inputs).try_collect().await;
    let Err(Error::Panicked(error)) = failed else { panic!("not the error of the job: {failed:?}") };
    println!("stopped after {:.0?} by: {:?}", start.elapsed(), error.message());
    println!("{taken} of 1000 inputs were taken");
    assert!(taken <= 7 + 4 * cpus, "seven results were taken out, and no more are ever in hand");
    assert_eq!(default_context_statistics().running_workers, 0, "nothing is left of it");

    // To have the other results all the same, take each `Result` as it is.
    let outcomes: Vec<Result<u32, Error>> = parallel_map(fail_for_seven, 4..8).collect().await;
    let good: Vec<u32> = outcomes.iter().flatten().copied().collect();
    assert_eq!((good.as_slice(), outcomes.len()), (&[4, 5, 6][..], 4));
    println!("of 4..8, the good ones: {good:?}");
    Ok(())
}

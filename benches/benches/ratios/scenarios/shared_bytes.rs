//! Large buffers that a worker reads, or fills, without a copy.

use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::runtimes::Tokio;
use crate::stats::{Samples, Summary, time};
use offproc::SharedBytes;
use std::hint::black_box;
use std::time::Instant;

const SIZE: usize = 100 << 20;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let rounds = options.pick(8, 60_usize);
    let (first, there, here) = Tokio::Current.run(2, async move {
        let bytes = SharedBytes::from_fn(SIZE, |bytes| bytes.fill(1))?;
        let (mut there, mut here) = (Samples::default(), Samples::default());
        // A worker that is there already, but has not seen the bytes.
        offproc::run_sync(offproc_bench::noop, ()).await?;
        let mut first = None;
        for _ in 0..=rounds {
            let begin = Instant::now();
            black_box(offproc::run_sync(sum, bytes.clone()).await?);
            let took = begin.elapsed();
            if first.replace(first.unwrap_or(took)).is_some() {
                there.push(took);
            }
            let begin = Instant::now();
            black_box(sum(black_box(bytes.clone())));
            here.push(begin.elapsed());
        }
        Ok::<_, Failure>((first.unwrap_or_default(), there.summary(), here.summary()))
    })??;
    let from =
        format!("{} / {}; the first call {}", time(there.p50()), time(here.p50()), time(first.as_nanos() as f64));
    let name = "100 MiB SharedBytes summed by a worker, against in the caller";
    output.figure(name, there.p50() / here.p50(), "×", Bar::AtMost(1.1), from);
    let (there, here) = Tokio::Current.run(2, filled(rounds))??;
    let name = "100 MiB SharedBytes filled by a worker and read in the caller, against filled there";
    let from = format!("{} / {}", time(there.p50()), time(here.p50()));
    output.figure(name, there.p50() / here.p50(), "×", Bar::None, from);
    Ok(())
}

/// Its memory is fresh each time, as that of a result is.
async fn filled(rounds: usize) -> Result<(Summary, Summary), Failure> {
    let (mut there, mut here) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        let begin = Instant::now();
        black_box(sum(offproc::run_sync(fill, 1).await?));
        there.push(begin.elapsed());
        let begin = Instant::now();
        black_box(sum(fill(1)));
        here.push(begin.elapsed());
    }
    Ok((there.summary(), here.summary()))
}

fn fill(with: u8) -> SharedBytes {
    SharedBytes::from_fn(SIZE, |bytes| bytes.fill(with)).expect("there is memory")
}

fn sum(bytes: SharedBytes) -> u64 {
    bytes.chunks_exact(8).map(|chunk| u64::from_ne_bytes(chunk.try_into().expect("a chunk is 8 long"))).sum()
}

//! Numbers to a worker and back, as the vectors that they are, beside `serde_bytes` of the same size.

use super::bytes::{echo, timed_async};
use super::latency::merge;
use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::runtimes::Tokio;
use crate::stats::{Samples, time};
use offproc::Transfer;
use serde_bytes::ByteBuf;
use serde_json::json;

const SIZES: [usize; 7] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/// The size that has a bar.
const BAR: usize = 1 << 20;

/// In turns of so many calls, of which the first are to get the caches their content.
const CALLS: usize = 10;
const SETTLE: usize = 2;

/// Values that go there and back, and how long they took.
struct Way<T> {
    value: T,
    samples: Samples,
}

impl<T: Transfer + Default + Send + 'static> Way<T> {
    fn new(value: T) -> Self {
        Self { value, samples: Samples::default() }
    }

    async fn turn(&mut self) -> Outcome {
        for call in 0..CALLS {
            let sent = std::mem::take(&mut self.value);
            let (back, took) = timed_async(offproc::run_sync(echo, sent)).await;
            self.value = back?;
            if call >= SETTLE {
                self.samples.push(took);
            }
        }
        Ok(())
    }
}

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    SIZES.into_iter().try_for_each(|size| {
        let rounds = if size == BAR { options.pick(12, 100) } else { options.pick(4, 24) };
        measure(size, rounds, output)
    })
}

fn measure(size: usize, rounds: usize, output: &mut Output) -> Outcome {
    let ways = Tokio::Current.run(4, async move {
        let mut byte_buf = Way::new(ByteBuf::from(vec![1; size]));
        let mut bytes = Way::new(vec![1_u8; size]);
        let mut integers = Way::new((0..size as u32 / 4).collect::<Vec<_>>());
        let mut floats = Way::new((0..size as u32 / 8).map(f64::from).collect::<Vec<_>>());
        for round in 0..rounds {
            // Each follows each other.
            for way in 0..4 {
                match if round % 2 == 0 { (round / 2 + way) % 4 } else { (round / 2 + 4 - way) % 4 } {
                    0 => byte_buf.turn().await?,
                    1 => bytes.turn().await?,
                    2 => integers.turn().await?,
                    _ => floats.turn().await?,
                }
            }
        }
        Ok::<_, Failure>([
            ("serde_bytes", byte_buf.samples),
            ("Vec<u8>", bytes.samples),
            ("Vec<u32>", integers.samples),
            ("Vec<f64>", floats.samples),
        ])
    })??;
    let ways = ways.map(|(way, samples)| (way, samples.summary()));
    for (way, summary) in &ways {
        let mut result = json!({ "way": way, "size": size });
        merge(&mut result, summary.to_json(false));
        output.record("numbers", result);
    }
    let [(_, byte_buf), vectors @ ..] = &ways;
    for (way, summary) in vectors.iter().filter(|_| size == BAR) {
        let from = format!("{} / {}", time(summary.p50()), time(byte_buf.p50()));
        let name = format!("1 MiB there and back, {way} against serde_bytes");
        output.figure(name, summary.p50() / byte_buf.p50(), "×", Bar::AtMost(1.2), from);
    }
    Ok(())
}

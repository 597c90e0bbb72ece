//! Bytes to a worker and back, by their number, beside what copying them costs.

use super::latency::merge;
use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::peers::role::Role;
use crate::peers::socket::SocketPeer;
use crate::peers::spinning::SpinningPeer;
use crate::runtimes::Tokio;
use crate::stats::{Samples, Summary, time};
use offproc::SharedBytes;
use serde_bytes::ByteBuf;
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SIZES: [usize; 9] = [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];

/// After so many calls in a row, both sides are awake.
const AWAKE: usize = 8;

/// What one size is measured with.
#[derive(Default)]
struct Ways {
    byte_buf: Samples,
    shared: Samples,
    vec: Samples,
    socket: Samples,
    memcpy: Samples,
    fresh: Samples,
    threads: Samples,
    procspawn: Samples,
}

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let socket = Arc::new(SocketPeer::start(Role::Echo)?);
    let pool = Arc::new(procspawn::Pool::new(1)?);
    for size in SIZES {
        let budget = Duration::from_millis(options.pick(150, 1500));
        let (socket, pool) = (socket.clone(), pool.clone());
        let ways = Tokio::Current.run(512, async move { measure(size, budget, &socket, &pool).await })??;
        note(size, ways, output);
    }
    Ok(())
}

async fn measure(size: usize, budget: Duration, socket: &SocketPeer, pool: &procspawn::Pool) -> Result<Ways, Failure> {
    let mut ways = Ways::default();
    let (mut bytes, mut vec) = (ByteBuf::from(vec![1; size]), vec![1_u8; size]);
    let (source, mut copy) = (vec![1_u8; size], vec![0_u8; size]);
    let shared = SharedBytes::copy_from_slice(&source)?;
    let threads = SpinningPeer::start(size);
    let mut slow = true;
    let begin = Instant::now();
    // The first round is for memory to be got and buffers to grow.
    for round in 0.. {
        let kept = |samples: &mut Samples, time| {
            if round > 0 {
                samples.push(time)
            }
        };
        // The first calls of a turn wake the worker, and find out that it pays to look for it: what others measure.
        let (calls, waking) = if size > MIB { (1, 0) } else { (AWAKE + 8, AWAKE) };
        for call in 0..calls {
            let (sent, took) = timed_async(offproc::run_sync(echo, bytes)).await;
            bytes = sent?;
            if call >= waking {
                kept(&mut ways.byte_buf, took);
            }
        }
        let (sent, took) = timed_async(offproc::run_sync(echo, shared.clone())).await;
        drop(sent?);
        kept(&mut ways.shared, took);
        kept(&mut ways.memcpy, timed(|| (0..4).for_each(|_| copy_into(black_box(&source), &mut copy))));
        kept(&mut ways.fresh, timed(|| (0..4).for_each(|_| drop(black_box(black_box(&source).clone())))));
        kept(&mut ways.threads, threads.echo(&source));
        kept(&mut ways.socket, {
            let begin = Instant::now();
            socket.echo(&source, &mut copy)?;
            begin.elapsed()
        });
        let (sent, took) = timed_async(offproc::run_sync(echo, vec)).await;
        vec = sent?;
        kept(&mut ways.vec, took);
        if slow {
            let theirs = ByteBuf::from(source.clone());
            let begin = Instant::now();
            let call = pool.spawn(theirs, echo);
            black_box(call.join()?);
            kept(&mut ways.procspawn, begin.elapsed());
            // It takes many times as long; a few of them tell enough.
            slow = begin.elapsed() < Duration::from_millis(20) || round < 2;
        }
        if round > 1 && begin.elapsed() > budget {
            break;
        }
    }
    Ok(ways)
}

fn note(size: usize, ways: Ways, output: &mut Output) {
    let named = [
        ("offproc, serde_bytes", ways.byte_buf),
        ("offproc, SharedBytes", ways.shared),
        ("offproc, Vec<u8>", ways.vec),
        ("raw socketpair", ways.socket),
        ("four memcpys", ways.memcpy),
        ("four copies, fresh memory", ways.fresh),
        ("two threads that spin", ways.threads),
        ("procspawn pool", ways.procspawn),
    ]
    .map(|(way, samples)| (way, samples.summary()));
    for (way, summary) in &named {
        let mut result = json!({ "way": way, "size": size });
        merge(&mut result, summary.to_json(false));
        output.record("bytes", result);
    }
    let [byte_buf, _, _, socket, memcpy, _, threads, _] = &named;
    let at = if size >= MIB { format!("{} MiB", size / MIB) } else { format!("{} KiB", size / KIB) };
    let mut row = |what: &str, (_, one): &(&str, Summary), (_, other): &(&str, Summary), bar| {
        let from = format!("{} / {}", time(one.p50()), time(other.p50()));
        output.figure(format!("{at} there and back, {what}"), one.p50() / other.p50(), "×", bar, from);
    };
    // Where both are put on one CPU, they take a time slice and more.
    let least = threads.1.quantile(0.25) / memcpy.1.p50();
    let at_most = |times: f64| Bar::AtMost(times.max(1.5 * least));
    let bar = match size {
        _ if size == 16 * KIB => at_most(4.0),
        _ if size == 64 * KIB => at_most(3.0),
        _ if size == MIB || size == 64 * MIB => at_most(2.0),
        _ => Bar::None,
    };
    row("two threads that spin for each other, against four memcpys", threads, memcpy, Bar::None);
    row("serde_bytes against four memcpys", byte_buf, memcpy, bar);
    if size == MIB {
        row("serde_bytes against a raw socketpair", byte_buf, socket, Bar::None);
    }
}

pub(super) fn echo<T>(value: T) -> T {
    value
}

fn copy_into(source: &[u8], copy: &mut [u8]) {
    copy.copy_from_slice(source);
    black_box(copy);
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

pub(super) async fn timed_async<F: IntoFuture>(work: F) -> (F::Output, Duration) {
    let begin = Instant::now();
    let done = work.await;
    (done, begin.elapsed())
}

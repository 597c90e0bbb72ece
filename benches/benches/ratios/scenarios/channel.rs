//! Items from a job to its caller, against a channel between two threads.

use super::{Failure, Outcome};
use crate::figure::Bar;
use crate::options::Options;
use crate::output::Output;
use crate::stats::median;
use offproc::{Sender, channel, run_sync};
use serde_json::json;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

pub(super) fn run(options: &Options, output: &mut Output) -> Outcome {
    let (turns, items) = (options.pick(3, 7), options.pick(200_000, 2_000_000));
    for capacity in [16, 1024] {
        let mut rates = (Vec::new(), Vec::new());
        ours(capacity, items / 10)?;
        for _ in 0..turns {
            rates.0.push(ours(capacity, items)?);
            rates.1.push(between_threads(capacity, items));
        }
        let (ours, threads) = (median(rates.0), median(rates.1));
        let result = json!({ "capacity": capacity, "per_second": ours, "between_threads": threads });
        output.record("channel", result);
        let of = format!("8-byte items a second, job to caller, capacity {capacity}");
        // The goal is for a channel in which there is room.
        let (bar, goal) =
            if capacity == 1024 { (Bar::AtLeast(0.5), Bar::AtLeast(5e6)) } else { (Bar::None, Bar::None) };
        let from = format!("{ours:.0} / {threads:.0}");
        output.figure(format!("{of}: against std's sync_channel between threads"), ours / threads, "×", bar, from);
        output.figure(of, ours, "/s", goal, String::new());
    }
    Ok(())
}

fn send((items, sender): (u64, Sender<u64>)) -> bool {
    (0..items).all(|item| sender.send(item).wait().is_ok())
}

fn ours(capacity: usize, items: u64) -> Result<f64, Failure> {
    let (sender, receiver) = channel(capacity);
    std::thread::scope(|scope| {
        let job = scope.spawn(move || run_sync(send, (items, sender)).wait());
        let mut received = receiver.wait();
        let first = received.next();
        let begin = Instant::now();
        assert_eq!(first, Some(0));
        let count = received.inspect(|item| _ = std::hint::black_box(item)).count();
        let rate = count as f64 / begin.elapsed().as_secs_f64();
        assert!(count as u64 == items - 1 && job.join().is_ok_and(|sent| sent.unwrap_or(false)));
        Ok(rate)
    })
}

fn between_threads(capacity: usize, items: u64) -> f64 {
    let (sender, receiver) = sync_channel(capacity);
    std::thread::scope(|scope| {
        scope.spawn(move || (0..items).all(|item| sender.send(item).is_ok()));
        let mut received = receiver.into_iter();
        let first = received.next();
        let begin = Instant::now();
        assert_eq!(first, Some(0));
        let count = received.inspect(|item| _ = std::hint::black_box(item)).count();
        assert_eq!(count as u64, items - 1);
        count as f64 / begin.elapsed().as_secs_f64()
    })
}

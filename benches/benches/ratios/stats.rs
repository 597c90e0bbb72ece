//! Samples of a duration, and their summary.

use serde_json::{Value, json};
use std::time::Duration;

/// How long something took, each time it was done; nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// Forgets the first ones.
    pub(crate) fn skip(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }

    pub(crate) fn summary(mut self) -> Summary {
        assert!(!self.0.is_empty(), "nothing was measured");
        self.0.sort_unstable();
        Summary(self.0)
    }
}

/// Samples in order.
#[derive(Clone, Debug)]
pub(crate) struct Summary(Vec<u64>);

impl Summary {
    /// The smallest sample that is at least as large as this share of all samples; nanoseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is an index")]
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1] as f64
    }

    pub(crate) fn p50(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    /// Count, quantiles and extremes, for the results file; `curve` adds points enough to draw the distribution.
    pub(crate) fn to_json(&self, curve: bool) -> Value {
        let mut value = json!({
            "n": self.0.len(),
            "p50": self.p50(), "p90": self.quantile(0.9), "p99": self.p99(),
            "min": self.0[0], "max": self.0[self.0.len() - 1],
        });
        if curve {
            // Every second percent, and finer towards the end, as the late calls matter.
            let shares = (1..50).map(|percent| f64::from(percent) / 50.0).chain([0.99, 0.995, 0.998, 0.999]);
            value["curve"] = shares.map(|share| json!([share, self.quantile(share)])).collect();
        }
        value
    }
}

/// The middle one of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    assert!(!figures.is_empty(), "nothing was measured");
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds in the unit that reads best.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e5 => format!("{:.1} us", n / 1e3),
        n if n < 1e6 => format!("{:.0} us", n / 1e3),
        n if n < 1e8 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.0} ms", n / 1e6),
    }
}

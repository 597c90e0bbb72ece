//! Latencies of several ways, as results and as ratios to ours.

use super::Failure;
use crate::figure::Bar;
use crate::interleave::{Rhythm, Way, interleave};
use crate::load::Load;
use crate::output::Output;
use crate::peers::pools::name;
use crate::stats::{Samples, Summary, time};
use serde_json::json;
use std::sync::Arc;

/// Where and how latencies were measured.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) case: &'static str,
    pub(super) runtime: String,
    pub(super) load: Load,
}

/// The summaries of the ways that were measured together.
#[derive(Debug)]
pub(super) struct Latencies {
    setting: Setting,
    ways: Vec<(&'static str, Summary)>,
}

impl Latencies {
    /// Runs the ways with `run` on some executor, under the setting's load, and notes the results.
    pub(super) fn measure<E>(
        setting: Setting,
        ways: Vec<Way>,
        rhythm: Rhythm,
        run: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = Vec<Samples>> + Send>>) -> Result<Vec<Samples>, E>,
        output: &mut Output,
    ) -> Result<Self, Failure>
    where
        Failure: From<E>,
    {
        let busy = setting.load.begin()?;
        let ways: Arc<[Way]> = ways.into();
        let samples = run(Box::pin(interleave(Arc::clone(&ways), rhythm)))?;
        drop(busy);
        let named = ways.iter().zip(samples).map(|(way, samples)| (way.name, samples.summary()));
        let latencies = Self { setting, ways: named.collect() };
        for (way, summary) in &latencies.ways {
            let Setting { case, runtime, load } = &latencies.setting;
            let mut result = json!({ "case": case, "runtime": runtime, "load": load.to_string(), "way": way });
            merge(&mut result, summary.to_json(true));
            output.record("latency", result);
        }
        Ok(latencies)
    }

    fn of(&self, way: &str) -> &Summary {
        let found = self.ways.iter().find(|(name, _)| *name == way);
        &found.expect("a way that was measured").1
    }

    /// Ours as a multiple of `peer`'s, for one quantile.
    pub(super) fn ratio(&self, peer: &'static str, quantile: f64, bar: Bar, output: &mut Output) {
        let (ours, theirs) = (self.of(name::OFFPROC).quantile(quantile), self.of(peer).quantile(quantile));
        let row = self.row(quantile, &format!("against {peer}"));
        output.figure(row, ours / theirs, "×", bar, format!("{} / {}", time(ours), time(theirs)));
    }

    /// How many times faster ours is than `peer`, at the median.
    pub(super) fn times_faster(&self, peer: &'static str, bar: Bar, output: &mut Output) {
        let (ours, theirs) = (self.of(name::OFFPROC).p50(), self.of(peer).p50());
        let row = self.row(0.5, &format!("faster than {peer}"));
        output.figure(row, theirs / ours, "×", bar, format!("{} / {}", time(theirs), time(ours)));
    }

    fn row(&self, quantile: f64, what: &str) -> String {
        let Setting { case, runtime, load } = &self.setting;
        format!("{case} no-op p{}, {runtime}, {load}: {what}", (quantile * 100.0).round())
    }
}

/// Adds the fields of one object to another.
pub(super) fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    if let (Some(into), serde_json::Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

//! A recorder of metrics, for tests.

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was recorded, by `name{label="value"}`, with the labels in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    values: Arc<Mutex<BTreeMap<String, Value>>>,
    descriptions: Arc<Mutex<BTreeMap<String, Description>>>,
}

/// What a metric counts, and in which unit.
pub type Description = (Option<Unit>, String);

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Counted up.
    Counter(u64),
    /// Set.
    Gauge(f64),
    /// All values.
    Histogram(Vec<f64>),
}

impl Recorded {
    /// Records what the whole process does from now on.
    ///
    /// # Panics
    ///
    /// The process has a recorder.
    #[must_use]
    pub fn globally() -> Self {
        let recorded = Self::default();
        assert!(metrics::set_global_recorder(recorded.clone()).is_ok(), "the first one");
        recorded
    }

    /// All there is.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Value> {
        lock(&self.values).clone()
    }

    /// What a metric is said to be.
    #[must_use]
    pub fn description(&self, name: &str) -> Option<Description> {
        lock(&self.descriptions).get(name).cloned()
    }

    /// A counter's value; 0 where there is none.
    #[must_use]
    pub fn counter(&self, key: &str) -> u64 {
        match lock(&self.values).get(key) {
            Some(Value::Counter(value)) => *value,
            _ => 0,
        }
    }

    /// A gauge's value.
    #[must_use]
    pub fn gauge(&self, key: &str) -> Option<f64> {
        match lock(&self.values).get(key) {
            Some(Value::Gauge(value)) => Some(*value),
            _ => None,
        }
    }

    /// A histogram's values.
    #[must_use]
    pub fn histogram(&self, key: &str) -> Vec<f64> {
        match lock(&self.values).get(key) {
            Some(Value::Histogram(values)) => values.clone(),
            _ => Vec::new(),
        }
    }

    /// It is there from now on.
    fn metric(&self, key: &Key, new: Value) -> Arc<Metric> {
        let mut labels: Vec<_> = key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        labels.sort_unstable();
        let key = format!("{}{{{}}}", key.name(), labels.join(","));
        lock(&self.values).entry(key.clone()).or_insert(new);
        Arc::new(Metric { key, values: Arc::clone(&self.values) })
    }

    fn describe(&self, key: &KeyName, unit: Option<Unit>, description: SharedString) {
        lock(&self.descriptions).insert(key.as_str().to_owned(), (unit, description.into_owned()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Metric {
    key: String,
    values: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Metric {
    fn change(&self, change: impl FnOnce(&mut Value)) {
        change(lock(&self.values).get_mut(&self.key).expect("it is registered"));
    }
}

impl CounterFn for Metric {
    fn increment(&self, by: u64) {
        self.change(|value| {
            if let Value::Counter(value) = value {
                *value += by;
            }
        });
    }

    fn absolute(&self, to: u64) {
        self.change(|value| *value = Value::Counter(to));
    }
}

impl GaugeFn for Metric {
    fn increment(&self, by: f64) {
        self.change(|value| {
            if let Value::Gauge(value) = value {
                *value += by;
            }
        });
    }

    fn decrement(&self, by: f64) {
        GaugeFn::increment(self, -by);
    }

    fn set(&self, to: f64) {
        self.change(|value| *value = Value::Gauge(to));
    }
}

impl HistogramFn for Metric {
    fn record(&self, one: f64) {
        self.change(|value| {
            if let Value::Histogram(values) = value {
                values.push(one);
            }
        });
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, unit, description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.metric(key, Value::Counter(0)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.metric(key, Value::Gauge(0.0)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.metric(key, Value::Histogram(Vec::new())))
    }
}

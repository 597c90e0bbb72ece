//! A measured figure, and the bar it is held against.

use serde_json::{Value, json};
use std::fmt;

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// None: the figure is for information.
    None,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
    /// What the value comes from: the two sides of a ratio, say.
    pub(crate) from: String,
}

impl Bar {
    fn is_reached_by(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(value <= most),
            Self::AtLeast(least) => Some(value >= least),
            Self::None => None,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {}", number(*most)),
            Self::AtLeast(least) => write!(f, "≥ {}", number(*least)),
            Self::None => Ok(()),
        }
    }
}

impl Figure {
    /// `None` where there is no bar.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        self.bar.is_reached_by(self.value)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.name, "value": self.value, "unit": self.unit, "bar": self.bar.to_string(),
            "reached": self.is_reached(), "from": self.from,
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.is_reached() {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        let value = format!("{} {}", number(self.value), self.unit);
        write!(f, "  {:<78} {value:>12}  {:<11} {mark:<6}  {}", self.name, self.bar.to_string(), self.from)
    }
}

/// Three digits that count, without an exponent.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        v if v >= 0.1 => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

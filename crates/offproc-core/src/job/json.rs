//! Values that need a self-describing format.

use super::plain::Plain;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Deref, DerefMut};

/// A value that travels as JSON, alone or anywhere inside an argument or a result.
///
/// offproc's own format is compact, and does not say what is in it: types that have to look at it to know what they
/// are (`#[serde(untagged)]`, internally tagged enums, `#[serde(flatten)]`, `serde_json::Value`, `deserialize_any`) are
/// an [`Error::Encode`](crate::Error::Encode) or an [`Error::Decode`](crate::Error::Decode) in it. In a `Json` they
/// travel, for some of the speed: JSON is several times as long, and takes several times as long to read and write.
///
/// Outside a call a `Json` serialises as the value itself in formats for people (JSON, TOML, YAML), and as bytes that
/// are JSON in all others.
///
/// # Errors
///
/// What JSON cannot express is an error of the call, with the reason that `serde_json` gives:
/// [`Encode`](crate::Error::Encode) for a map whose keys are no strings, numbers or unit variants, say;
/// [`Decode`](crate::Error::Decode), with line and column, for what the type does not read, and for what is nested
/// deeper than 128. JSON has no NaN and no infinity: `serde_json` writes `null`, which an `f64` does not read, but an
/// `Option<f64>` reads as `None`. All other numbers are the same to their last bit.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), offproc::Error> {
/// use offproc::{Json, run_sync};
/// use serde::{Deserialize, Serialize};
/// use serde_json::{Value, json};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(untagged)]
/// enum Setting {
///     Number(f64),
///     Text(String),
/// }
///
/// fn describe((Json(settings), Json(extra)): (Json<Vec<Setting>>, Json<Value>)) -> Json<Value> {
///     Json(json!({ "first": settings.first(), "extra": extra }))
/// }
///
/// let settings = vec![Setting::Number(0.5), Setting::Text("auto".to_owned())];
/// let described = run_sync(describe, (Json(settings), Json(json!([1, null])))).wait()?;
/// assert_eq!(*described, json!({ "first": 0.5, "extra": [1, null] }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        let text = serde_json::to_vec(&self.0).map_err(S::Error::custom)?;
        Plain(text.into()).serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return T::deserialize(deserializer).map(Self);
        }
        let text = Plain::deserialize(deserializer)?;
        serde_json::from_slice(&text.0).map(Self).map_err(D::Error::custom)
    }
}

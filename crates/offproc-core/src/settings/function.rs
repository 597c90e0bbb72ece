//! How a setting that is a function travels: as a code offset.

use crate::job::trampoline::{Callback, ContextFunction};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<F: ContextFunction, S: Serializer>(function: &Option<F>, to: S) -> Result<S::Ok, S::Error> {
    function.map(Callback::of).transpose().map_err(S::Error::custom)?.serialize(to)
}

pub(super) fn deserialize<'de, F: ContextFunction, D: Deserializer<'de>>(from: D) -> Result<Option<F>, D::Error> {
    Option::<Callback<F>>::deserialize(from)?.map(Callback::get).transpose().map_err(D::Error::custom)
}

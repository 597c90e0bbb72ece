//! Values that do not travel.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// Refuses to be serialised, or else to be deserialised.
#[derive(Debug)]
pub struct Refuses {
    /// Whether it refuses to be serialised.
    pub to_go: bool,
}

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.to_go { Err(ser::Error::custom("stays here")) } else { serializer.serialize_unit() }
    }
}

impl<'de> Deserialize<'de> for Refuses {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("does not come"))
    }
}

/// Panics when it is to be serialised.
#[derive(Debug, Deserialize)]
pub struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("in the caller");
    }
}

//! Facts of the program that explain why a worker ended before it could begin.

use crate::sys::executable;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::OnceLock;

/// Read when the error is first printed, or before it travels to another process, where they differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program(OnceLock<Surroundings>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    /// Where the executable lies.
    pub(super) name: String,
    /// The libraries that `LD_PRELOAD` adds to it.
    pub(super) preload: Option<String>,
}

impl Program {
    pub(super) fn get(&self) -> &Surroundings {
        self.0.get_or_init(|| Surroundings {
            name: executable::name().display().to_string(),
            preload: std::env::var_os("LD_PRELOAD").map(|preload| preload.to_string_lossy().into_owned()),
        })
    }
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Surroundings::deserialize(deserializer).map(|surroundings| Self(surroundings.into()))
    }
}

//! Which function a worker ran.

use crate::sys::image::Image;
use crate::sys::symbols;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::panic::Location;
use std::sync::OnceLock;

/// The function that a worker runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    /// Its address.
    pub(crate) function: usize,
    pub(crate) type_name: &'static str,
    pub(crate) caller: Option<&'static Location<'static>>,
}

/// The same, as part of an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Function {
    code: NamedOffset,
    pub(super) type_name: Cow<'static, str>,
    /// As `file:line:column`.
    pub(super) caller: Option<String>,
}

impl Function {
    pub(super) fn name(&self) -> Option<&str> {
        self.code.name()
    }

    pub(super) fn offset(&self) -> Option<u64> {
        self.code.offset
    }
}

impl From<Task> for Function {
    fn from(task: Task) -> Self {
        let code = NamedOffset { offset: Image::current().offset_of(task.function), name: OnceLock::new() };
        Self { code, type_name: task.type_name.into(), caller: task.caller.map(ToString::to_string) }
    }
}

/// Its offset in the executable, and its name there once it was looked up.
#[derive(Clone, Debug)]
struct NamedOffset {
    offset: Option<u64>,
    name: OnceLock<Option<Cow<'static, str>>>,
}

impl NamedOffset {
    fn name(&self) -> Option<&str> {
        self.name.get_or_init(|| self.offset.and_then(symbols::name_at).map(Cow::from)).as_deref()
    }
}

/// Between processes of the same build only the offset travels, and the reader looks the name up; a format for people
/// gets the name at once.
impl Serialize for NamedOffset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name =
            if serializer.is_human_readable() { self.name() } else { self.name.get().and_then(Option::as_deref) };
        (self.offset, name).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamedOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (offset, name): (_, Option<String>) = Deserialize::deserialize(deserializer)?;
        let name = name.map_or_else(OnceLock::new, |name| OnceLock::from(Some(name.into())));
        Ok(Self { offset, name })
    }
}

//! The stack of a panic or an error: return addresses while it travels, turned into text when it is first read.

use crate::sys::backtrace::{self, Module};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt::Write;
use std::sync::OnceLock;

/// Where a panic or an error came from.
#[derive(Clone, Deserialize)]
pub(crate) enum Backtrace {
    /// For processes of the same build.
    Addresses(Addresses),
    /// From a format that people can read, too.
    Text(String),
}

#[derive(Serialize)]
#[serde(rename = "Backtrace")]
enum Sent<'a> {
    Addresses(&'a Addresses),
    Text(&'a str),
}

impl Serialize for Backtrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Addresses(addresses) if !serializer.is_human_readable() => Sent::Addresses(addresses),
            _ => Sent::Text(self.text()),
        }
        .serialize(serializer)
    }
}

impl Backtrace {
    /// The calling thread's, if the environment asks for one.
    pub(crate) fn take_if_wanted() -> Option<Self> {
        backtrace::wanted().map(|is_full| Self::Addresses(Addresses::take(is_full)))
    }

    /// As text, with names, which the first call looks up.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Addresses(addresses) => addresses.text.get_or_init(|| addresses.describe(&backtrace::modules())),
            Self::Text(text) => text,
        }
    }
}

/// Each address as an offset in its module, as another process loads modules at other addresses.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The innermost first.
    frames: Vec<Frame>,
    /// Their names; the executable's is empty.
    modules: Vec<String>,
    /// Whether to show also the frames between the panic or error and the function, and those outside the function.
    is_full: bool,
    #[serde(skip)]
    text: OnceLock<String>,
}

/// Parts of the names of the innermost frames, which raise a panic or take the addresses.
const INNERMOST: [&str; 2] = ["__rust_end_short_backtrace", "offproc_core::error::backtrace::"];

/// Parts of the names of frames that may be between those and the function: they make an error, or are what a `?`
/// compiles to. An inherent method has another name in each of the compiler's two ways to mangle names.
const CONVERSIONS: [&str; 5] = [
    "<offproc_core::error::job::JobError as core::convert::From<",
    "offproc_core::error::job::JobError::new",
    "<offproc_core::error::job::JobError>::new",
    "core::convert::Into<",
    "core::ops::try_trait::FromResidual<",
];

/// Parts of the names of frames that call the function.
const OUTERMOST: [&str; 3] =
    ["offproc_core::job::trampoline::", "offproc_core::worker::", "__rust_begin_short_backtrace"];

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Frame {
    /// `None` where the address is in no module, such as code made at run time.
    module: Option<u32>,
    /// From where the module is loaded.
    offset: u64,
}

impl Addresses {
    #[inline(never)]
    fn take(is_full: bool) -> Self {
        let (addresses, count) = backtrace::take();
        let loaded = backtrace::modules();
        let mut used: Vec<usize> = Vec::new();
        let mut frames = Vec::with_capacity(count);
        for address in &addresses[..count] {
            // A call that is the last instruction of a function has a return address behind the function.
            let module = loaded.iter().position(|module| module.has_code_at(address.saturating_sub(1)));
            let base = module.map_or(0, |module| loaded[module].base);
            let module = module.map(|module| {
                used.iter().position(|one| *one == module).unwrap_or_else(|| {
                    used.push(module);
                    used.len() - 1
                })
            });
            #[allow(clippy::cast_possible_truncation, reason = "there are no more of them than frames")]
            frames.push(Frame { module: module.map(|module| module as u32), offset: (address - base) as u64 });
        }
        let modules = used.into_iter().map(|module| loaded[module].name.clone()).collect();
        Self { frames, modules, is_full, text: OnceLock::new() }
    }

    fn describe(&self, loaded: &[Module]) -> String {
        let frames = self.frames.iter().take(backtrace::MOST).map(|frame| self.name(*frame, loaded));
        // A frame may be of several functions, by inlining.
        let mut functions: Vec<String> = frames.flatten().collect();
        if !self.is_full {
            // Like std, leave out the frames that raise the panic or make the error, and those that called the job.
            let is_one_of = |name: &String, parts: &[&str]| parts.iter().any(|part| name.contains(part));
            let inner = functions.iter().rposition(|name| is_one_of(name, &INNERMOST)).map_or(0, |last| last + 1);
            let raise = functions[inner..].iter().take_while(|name| is_one_of(name, &CONVERSIONS)).count();
            functions.drain(..inner + raise);
            if let Some(first) = functions.iter().position(|name| is_one_of(name, &OUTERMOST)) {
                functions.truncate(first);
            }
        }
        let mut text = String::new();
        for (number, function) in functions.iter().enumerate() {
            let _ = writeln!(text, "{number:4}: {function}");
        }
        text
    }

    /// Only compares and adds what the worker has sent: wrong values give wrong text, and open no file.
    fn name(&self, frame: Frame, loaded: &[Module]) -> Vec<String> {
        let name = frame.module.and_then(|module| self.modules.get(module as usize));
        let module = name.and_then(|name| loaded.iter().find(|module| module.name == *name));
        let address = module.and_then(|module| module.base.checked_add(usize::try_from(frame.offset).ok()?));
        let here = address.filter(|address| module.is_some_and(|module| module.has_code_at(address.saturating_sub(1))));
        let known = here.map(backtrace::describe).unwrap_or_default();
        if !known.is_empty() {
            return known;
        }
        vec![match name.map(String::as_str) {
            Some("") => format!("{:#x} of the executable", frame.offset),
            Some(name) => format!("{:#x} of {name}", frame.offset),
            None => format!("{:#x}", frame.offset),
        }]
    }
}

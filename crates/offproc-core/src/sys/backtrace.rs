//! Stacks as addresses, which are quick to record, and their names, which are slow to look up.
//!
//! Recording them needs no file, no debug information and hardly any memory. The process that prints a stack looks the
//! names up then: it finds an address from another process by its module, at the place where it has loaded that itself.
#![allow(unsafe_code)]

use super::{environment, image};
use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// How many frames are recorded, from the innermost on.
pub(crate) const MOST: usize = 128;

const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SHORT: u8 = 2;
const FULL: u8 = 3;

static WANTED: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether errors and panics are to have one, and if so, whether a full one. Reads the program's environment once, as
/// std does.
pub(crate) fn wanted() -> Option<bool> {
    match WANTED.load(Ordering::Relaxed) {
        UNKNOWN => {
            let wanted = environment::asks_for_backtrace();
            set_wanted(wanted);
            wanted
        }
        wanted => (wanted != NONE).then_some(wanted == FULL),
    }
}

/// A worker has an environment of its own, and sets here what that asks for.
pub(crate) fn set_wanted(wanted: Option<bool>) {
    let wanted = match wanted {
        None => NONE,
        Some(false) => SHORT,
        Some(true) => FULL,
    };
    WANTED.store(wanted, Ordering::Relaxed);
}

/// The return addresses on the stack of this thread, the innermost first.
pub(crate) fn take() -> ([usize; MOST], usize) {
    let (mut addresses, mut count) = ([0; MOST], 0);
    // SAFETY: the lock that is not taken is for looking names up, which this does not do: many threads may use the
    // unwinder itself.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses[count] = frame.ip().addr();
            count += 1;
            count < MOST
        });
    }
    (addresses, count)
}

/// A loaded executable or shared library.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Its path, as the loader knows it; empty for the executable.
    pub(crate) name: String,
    pub(crate) base: usize,
    code: Vec<Range<usize>>,
}

impl Module {
    pub(crate) fn has_code_at(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }
}

static BEFORE_FORK: OnceLock<Vec<Module>> = OnceLock::new();

/// In a fork of the program: sets the modules that were loaded before it. To ask the loader takes its lock, which a
/// thread that is not in this fork may have held.
pub(crate) fn set_modules(before_fork: Vec<Module>) {
    let _ = BEFORE_FORK.set(before_fork);
}

/// The modules loaded in this process, as far as they are known without waiting for a lock.
pub(crate) fn modules() -> Cow<'static, [Module]> {
    BEFORE_FORK.get().map_or_else(|| loaded().into(), |modules| modules.into())
}

/// The modules loaded in this process.
pub(crate) fn loaded() -> Vec<Module> {
    image::modules().into_iter().map(|(name, base, code)| Module { name, base, code }).collect()
}

/// The functions at a return address of this process, a line for each: several may be inlined in one.
pub(crate) fn describe(address: usize) -> Vec<String> {
    let mut functions = Vec::new();
    backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
        let mut text = match symbol.name() {
            Some(name) => format!("{name:#}"),
            None => format!("{address:#x}"),
        };
        if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
            let _ = write!(text, "\n             at {}:{line}", file.display());
            if let Some(column) = symbol.colno() {
                let _ = write!(text, ":{column}");
            }
        }
        functions.push(text);
    });
    functions
}

//! The default limiter, of calls that name none.

use std::num::NonZero;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use super::Limiter;

/// Returns the limiter that calls use when they name none.
///
/// The whole process has one, which starts with as many tokens as [`available_parallelism`] reports at the first call,
/// or one where that is unknown.
///
/// # Examples
///
/// ```
/// use offproc::default_limiter;
///
/// // Leave one CPU to the rest of the program.
/// let limiter = default_limiter();
/// limiter.set_total_tokens(limiter.total_tokens().saturating_sub(1).max(1));
/// ```
#[doc(alias = "current_default_worker_limiter")]
#[must_use]
pub fn default_limiter() -> Limiter {
    static DEFAULT: OnceLock<Limiter> = OnceLock::new();
    DEFAULT.get_or_init(|| Limiter::new(available_parallelism().map_or(1, NonZero::get))).clone()
}

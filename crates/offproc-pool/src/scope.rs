//! Scopes: a private context for all calls made inside a future.

use crate::context::{WorkerContext, default_context};

/// The context of the innermost scope around the poll under way, or the default one.
pub(crate) fn current() -> WorkerContext {
    default_context()
}

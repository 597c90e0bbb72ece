//! The setters of the builder, and the getters of the context. What each setting means, its default, and how it is set
//! stand in one place: in the file of its group, in the pool's `context/settings/` or in the core's `settings/`.

use super::WorkerContextBuilder;
use crate::context::WorkerContext;
use crate::limiter::Limiter;
use offproc_core::{Resource, Runtime, Signals, Transport, WorkerType};
#[cfg(feature = "tracing")]
use offproc_tracing::LevelFilter;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Makes setters of the builder and getters of the context, for settings of the group at this place in
/// [`ContextSettings`](crate::context::settings::ContextSettings):
///
/// ```text
/// interface! {
///     owner.group:
///     /// What it means. **Default:** …
///     fn name(argument: Type) |settings| settings.name = argument;
///     get name -> Type |settings| settings.name;
/// }
/// ```
///
/// `owner` is `worker` for settings of the core, `pool` for the pool's own.
macro_rules! interface {
    (
        $(#[$heading:meta])*
        $owner:ident.$group:ident:
        $(
            $(#[$attribute:meta])*
            fn $setter:ident($($argument:ident: $type:ty),*) |$set:ident| $change:expr;
            $(get $getter:ident -> $got:ty |$get:ident| $value:expr;)?
        )*
    ) => {
        $(#[$heading])*
        impl WorkerContextBuilder {$(
            $(#[$attribute])*
            pub fn $setter(mut self, $($argument: $type),*) -> Self {
                let $set = &mut self.settings.$owner.$group;
                $change;
                self
            }
        )*}

        impl WorkerContext {$($(
            #[doc = concat!("See [`WorkerContextBuilder::", stringify!($setter), "`].")]
            #[must_use]
            pub fn $getter(&self) -> $got {
                let $get = &self.inner().settings.$owner.$group;
                $value
            }
        )?)*}
    };
}

// In the order of the documentation.
start!();
offproc_core::start!();
offproc_core::lifetime!();
offproc_core::retirement!();
calls!();
// One of the limits of calls, which the documentation has here.
interface! {
    pool.limits:
    /// The [time to stop](crate::RunSync::cancel_grace) of jobs whose call is dropped with
    /// [`kill_on_cancel(true)`](Self::kill_on_cancel).
    ///
    /// **Default:** zero: they are killed at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use offproc::WorkerContext;
    /// use std::time::Duration;
    ///
    /// let grace = Duration::from_millis(500);
    /// let context = WorkerContext::builder().kill_on_cancel(true).cancel_grace(grace).open()?;
    /// assert_eq!(context.cancel_grace(), grace);
    /// # Ok::<(), offproc::ConfigError>(())
    /// ```
    fn cancel_grace(grace: Duration)
        |settings| settings.limits.get_or_insert_default().cancel_grace = Some(grace);
    get cancel_grace -> Duration
        |settings| settings.limits.and_then(|limits| limits.cancel_grace).unwrap_or_default();
}
limits!();
offproc_core::limits!();
offproc_core::surroundings!();
offproc_core::transport!();
transport!();
diagnostics!();
offproc_core::diagnostics!();
#[cfg(feature = "tracing")]
logging!();
shutdown!();
offproc_core::shutdown!();

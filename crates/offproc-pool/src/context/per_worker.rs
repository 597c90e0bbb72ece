//! Settings that differ from worker to worker.

use offproc_core::{Settings, on_another_thread};
use std::any::Any;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// What one worker is to have, for [`per_worker`](crate::WorkerContextBuilder::per_worker). What is not set is as the
/// context has it.
///
/// A value that cannot work, such as a CPU that there is not, is an [`Error::Spawn`](crate::Error::Spawn) of the call
/// that needs the worker, which names its index.
#[derive(Debug)]
pub struct WorkerSettings {
    settings: Settings,
}

impl WorkerSettings {
    /// Sets an environment variable, after those that the context [sets](crate::WorkerContextBuilder::env) or removes.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.settings.surroundings.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable, also one that the context sets.
    pub fn env_remove(&mut self, name: impl Into<OsString>) -> &mut Self {
        self.settings.surroundings.environment.push((name.into(), None));
        self
    }

    /// The CPUs that it may run on, by number, in place of [those of the
    /// context](crate::WorkerContextBuilder::cpu_affinity).
    pub fn cpu_affinity(&mut self, cpus: impl IntoIterator<Item = usize>) -> &mut Self {
        self.settings.surroundings.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Its niceness, from -20 to 19, in place of [that of the context](crate::WorkerContextBuilder::nice).
    pub fn nice(&mut self, nice: i32) -> &mut Self {
        self.settings.surroundings.nice = Some(nice);
        self
    }

    /// Its working directory, in place of [that of the context](crate::WorkerContextBuilder::current_dir).
    pub fn current_dir(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.settings.surroundings.directory = Some(directory.into().into_os_string());
        self
    }
}

/// Sets what the worker of an index has.
type Set = dyn Fn(usize, &mut WorkerSettings) + Send + Sync;

/// The function that makes them.
#[derive(Clone)]
pub(crate) struct PerWorker(Arc<Set>);

impl PerWorker {
    pub(crate) fn new(adjust: impl Fn(usize, &mut WorkerSettings) + Send + Sync + 'static) -> Self {
        Self(Arc::new(adjust))
    }

    /// The settings of the worker with this index. Not made on this thread, which may be the background thread: the
    /// function is the program's, and may block.
    pub(super) async fn settings(&self, index: usize, of_context: Settings) -> io::Result<Settings> {
        let own = self.clone();
        on_another_thread("offproc-settings", move || own.adjust(index, of_context)).await
    }

    fn adjust(&self, index: usize, settings: Settings) -> io::Result<Settings> {
        let refused = |what: String| {
            let reason = format!("the settings of `per_worker` for the worker with index {index}: {what}");
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        };
        let mut settings = WorkerSettings { settings };
        catch_unwind(AssertUnwindSafe(|| (self.0)(index, &mut settings)))
            .map_err(|payload| refused(format!("the function panicked: {}", message_of(&*payload))))?;
        settings.settings.check().map_err(|e| refused(e.to_string()))?;
        Ok(settings.settings)
    }
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(not with a text)")
}

impl fmt::Debug for PerWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerWorker").finish_non_exhaustive()
    }
}

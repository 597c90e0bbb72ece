//! Events of workers, and of tokens.

use super::call_span::micros;
use super::event_thread;
use super::foreign::run_foreign;
use offproc_core::{BrokenWorkerError, is_background_thread, is_forked};
use std::sync::Arc;
use std::time::Duration;
use tracing::dispatcher::{self, Dispatch, WeakDispatch};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;

/// The subscribers that get events, and the context that they are about.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    context: Arc<str>,
    /// The first of them that is still there gets the events; if none is, the global one does.
    subscribers: [WeakDispatch; 2],
}

impl Audience {
    /// The subscriber of the calling thread, which opens the context.
    pub(super) fn of(context: &Arc<str>) -> Self {
        let own = own_subscriber();
        Self { context: Arc::clone(context), subscribers: [own.clone(), own] }
    }

    /// The subscriber of the calling thread, and then that of the thread that has opened the context. Where the
    /// background thread calls, which has none of its own, only the latter.
    pub(super) fn here(&self) -> Self {
        let mut here = self.clone();
        if !is_background_thread() {
            here.subscribers[0] = own_subscriber();
        }
        here
    }

    /// Sends `event`. The calling thread does so, to its subscriber and in its span, unless it is the background
    /// thread: that must not wait for a subscriber, and leaves it to the thread for events.
    fn send(&self, event: impl FnOnce(&str) + Send + 'static) {
        if LevelFilter::current() == LevelFilter::OFF || is_forked() {
            return;
        }
        let Self { context, subscribers } = self.clone();
        if !is_background_thread() {
            return run_foreign(|| event(&context));
        }
        event_thread::send(Box::new(move || {
            let subscriber = subscribers.iter().filter_map(WeakDispatch::upgrade).find(|own| !own.is::<NoSubscriber>());
            match subscriber {
                Some(subscriber) => dispatcher::with_default(&subscriber, || event(&context)),
                None => event(&context),
            }
        }));
    }

    pub(super) fn worker_started(&self, pid: u32) {
        self.send(move |context| tracing::info!(target: "offproc", context, worker.pid = pid, "worker started"));
    }

    pub(super) fn start_delayed(&self, pause: Duration) {
        let delay_us = micros(pause);
        self.send(move |context| tracing::warn!(target: "offproc", context, delay_us, "worker start delayed"));
    }

    pub(super) fn worker_retired(&self, pid: u32, reason: &'static str) {
        self.send(
            move |context| tracing::info!(target: "offproc", context, worker.pid = pid, reason, "worker retired"),
        );
    }

    pub(super) fn worker_killed(&self, pid: u32) {
        self.send(move |context| tracing::info!(target: "offproc", context, worker.pid = pid, "worker killed"));
    }

    pub(super) fn worker_crashed(&self, pid: u32, report: Option<BrokenWorkerError>) {
        self.send(move |context| {
            let Some(report) = report else {
                return tracing::warn!(target: "offproc", context, worker.pid = pid, "worker crashed");
            };
            tracing::warn!(
                target: "offproc",
                context,
                worker.pid = pid,
                error = %report,
                exit_status = report.exit_status().map(|status| status.to_string()),
                phase = %report.phase(),
                function = report.function(),
                function_type = report.function_type(),
                called_at = report.called_at(),
                ran_for_us = report.ran_for().map(micros),
                user_time_us = report.user_time().map(micros),
                system_time_us = report.system_time().map(micros),
                peak_memory_bytes = report.peak_memory(),
                fault = report.fault().map(|fault| fault.to_string()),
                core_dumped = report.core_dumped(),
                oom_killed = report.oom_killed(),
                stderr = report.stderr(),
                "worker crashed"
            );
        });
    }

    pub(crate) fn tokens_are_held(&self, tokens: usize, waiting: usize) {
        self.send(move |context| {
            tracing::warn!(target: "offproc", context, tokens, waiting, "all tokens are held by abandoned jobs");
        });
    }
}

fn own_subscriber() -> WeakDispatch {
    let mut own = Dispatch::none().downgrade();
    run_foreign(|| own = dispatcher::get_default(Dispatch::downgrade));
    own
}

//! What all handlers share.

use std::sync::Arc;

use offproc::{ConfigError, WorkerContext};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Semaphore, watch};

use crate::answer::Answer;
use crate::options::Options;
use crate::outcome::Outcomes;
use crate::reports::Reports;
use crate::thumbnail::Made;
use crate::workers;

const MOST_WATCHERS: usize = 32;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) workers: WorkerContext,
    pub(crate) outcomes: Outcomes,
    pub(crate) reports: Reports,
    pub(crate) phase: watch::Sender<Phase>,
    /// How many more may watch at `/events`.
    pub(crate) watchers: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Starting,
    Ready,
    Draining,
}

impl App {
    pub(crate) fn new(options: Options) -> Result<Arc<Self>, ConfigError> {
        Ok(Arc::new(Self {
            workers: workers::open(&options)?,
            options,
            outcomes: Outcomes::default(),
            reports: Reports::default(),
            phase: watch::Sender::new(Phase::Starting),
            watchers: Arc::new(Semaphore::new(MOST_WATCHERS)),
        }))
    }

    /// Runs a job, within the deadline. Dropping this, as when the client hangs up, kills the job.
    pub(crate) async fn call<A>(&self, job: fn(A) -> Made, argument: A) -> Answer
    where
        A: Serialize + DeserializeOwned,
    {
        let call = self.workers.run_sync(job, argument).timeout(self.options.deadline);
        Answer::of(call.await, &self.reports)
    }

    /// Waits until the service begins to end.
    pub(crate) fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            // An error would mean that the service has ended.
            let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
        }
    }
}

//! The workers, and the policy for all calls to them.

use offproc::{ConfigError, Resource, Signals, WorkerContext};
use tracing::level_filters::LevelFilter;

use crate::options::Options;

pub(crate) fn open(options: &Options) -> Result<WorkerContext, ConfigError> {
    WorkerContext::builder()
        .name("thumbnails")
        .max_concurrency(options.workers)
        .max_queue(options.queue)
        // A request whose client has hung up, or got a 504, must not use more CPU time.
        .kill_on_cancel(true)
        .memory_limit(options.memory)
        // A decoder leaks here and there. Not all workers at once.
        .retire_after_jobs(900..=1100)
        // Under a service manager that sends SIGTERM to all processes, jobs under way are to end in peace.
        .signals(Signals::IgnoreTerminate)
        // Reports with the address of a fault and the last lines of stderr, and no core dumps of strangers' pictures.
        .fault_details(true)
        .keep_stderr(true)
        .resource_limit(Resource::CoreSize, 0)
        // What jobs log is in the program's log, inside the span of the request.
        .forward_tracing(LevelFilter::INFO)
        .open()
}

//! Snapshots of a context.

/// How many workers a context has and what they do, how many calls wait, and how many of both there have been.
///
/// A snapshot. The numbers of current workers and calls, which are `usize`, are of one moment; they may have changed by
/// the time you read them. They certainly exclude only workers that have been reaped: one that has just died, or just
/// timed out, may still be counted.
///
/// Totals, which are `u64`, count from the opening of the context on. No snapshot has more of a part than of the whole:
/// more panicked calls than calls, or more ends of workers than starts. A call is counted before its future resolves,
/// or before the `drop` that cancels it returns. A worker's end is counted once it is known and, if it came during a
/// job, the call has been polled or dropped. Once a context is closed and its calls are over, `started` is the sum of
/// `retired`, `crashed` and `killed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Workers in the cache, waiting for a job.
    pub idle_workers: usize,
    /// Workers with a job, abandoned ones included.
    pub running_workers: usize,
    /// Workers that are being started.
    pub starting_workers: usize,
    /// Calls that wait for a token of their limiter.
    pub waiting_calls: usize,
    /// Jobs whose call was dropped without `kill_on_cancel`: they run to their end, and hold their token until then.
    /// Their workers are among the running ones.
    pub abandoned_jobs: usize,
    /// Total of calls that were polled and are over, however: with a result, with an error, cancelled.
    pub calls: u64,
    /// Of these, those whose function panicked.
    pub panicked: u64,
    /// Of these, those that ran out of time: [`Error::is_timeout`](crate::Error::is_timeout).
    pub timed_out: u64,
    /// Of these, those that found the queue full: [`Error::is_overloaded`](crate::Error::is_overloaded).
    pub overloaded: u64,
    /// Total of workers that were started and ready.
    pub started: u64,
    /// Of these, those that left: for a policy of [retirement](crate::WorkerContextBuilder::retire), after the
    /// [idle timeout](crate::WorkerContextBuilder::idle_timeout), as the context was closed, or after a panic under
    /// `panic = "abort"`.
    pub retired: u64,
    /// Of these, those that died of themselves: crashed, ended by their job, or killed by others than offproc.
    pub crashed: u64,
    /// Of these, those that offproc killed: for a dropped call, a limit, a grace period that was over, by
    /// [`kill`](crate::WorkerContext::kill) or [`close_within`](crate::WorkerContext::close_within).
    pub killed: u64,
    /// Total of [states](crate::WorkerContextBuilder::init_with) that workers of the context have made: one for each
    /// that was started, and one each time that a worker had lost its state and made another.
    pub states_built: u64,
    /// Total of starts that failed, each with an error of a call, or of a spare worker.
    pub failed_starts: u64,
}

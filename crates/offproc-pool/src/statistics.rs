//! Snapshots of a context.

/// How many workers a context has, and what they do.
///
/// A snapshot, all numbers of one moment; by the time it is read, that moment is over. Only a worker that has been
/// reaped is left out for sure: one that has just died, or just timed out, may still be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Workers in the cache, waiting for a job.
    pub idle_workers: usize,
    /// Workers with a job, abandoned ones included.
    pub running_workers: usize,
    /// Workers that are being started.
    pub starting_workers: usize,
}

use backon::{ExponentialBuilder, Retryable};
use offproc::{Error, Transfer, run_sync};
use std::time::Duration;

/// Runs the job again where its worker died, three times at most, with a pause that grows.
pub async fn run<A: Transfer + Clone, R: Transfer>(f: fn(A) -> R, arg: A) -> Result<R, Error> {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(10)).with_max_times(3);
    (|| run_sync(f, arg.clone())).retry(pauses).when(Error::is_crash).await
}

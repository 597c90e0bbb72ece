//! How far a call has got.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a call was when its time was over; see [`Error::station`](super::Error::station).
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// use offproc::{Station, run_sync};
/// use std::time::Duration;
///
/// let late = run_sync(|()| -> () { loop {} }, ()).time_limit(Duration::from_millis(10)).await.unwrap_err();
/// assert_eq!(late.station(), Some(Station::Running));
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Station {
    /// It waited: for a token of its limiter, for the decision of a `retire` function, or until a context whose
    /// workers fail to start tries again.
    Queued,
    /// Its worker was starting.
    Starting,
    /// Its worker had the job.
    Running,
}

impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
        })
    }
}

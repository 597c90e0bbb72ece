//! Reaps the workers of the program that this process ran before an `exec`.

use crate::parent::background;
use crate::parent::timer::sleep;
use crate::sys::leftovers;
use std::sync::Once;
use std::time::Duration;

/// After how long as a zombie a worker counts as left over. Another copy of offproc in this program reaps its own at
/// once.
const PATIENCE: Duration = Duration::from_millis(500);

/// Has the background thread, which has to run, reap them, if there are any. Call it before the first worker is
/// started: all that exist then are not ours.
pub(crate) fn reap() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut left = leftovers::children();
        if left.is_empty() {
            return;
        }
        background::spawn_background(async move {
            // They were killed when the program was replaced, and may take a moment to end.
            sleep(PATIENCE).await;
            left.retain(|pid| leftovers::is_zombie(*pid));
            sleep(PATIENCE).await;
            left.retain(|pid| leftovers::is_zombie(*pid));
            left.into_iter().for_each(leftovers::reap);
        });
    });
}

//! An async mutex: first come, first served.

use super::semaphore::Semaphore;

/// A lock without a value: it protects the actions of its holder.
#[derive(Debug)]
pub(super) struct AsyncMutex(Semaphore);

impl AsyncMutex {
    pub(super) const fn new() -> Self {
        Self(Semaphore::new(1))
    }

    pub(super) async fn lock(&self) -> AsyncMutexGuard<'_> {
        self.0.acquire().await;
        AsyncMutexGuard(self)
    }
}

#[derive(Debug)]
#[must_use = "its drop unlocks"]
pub(super) struct AsyncMutexGuard<'a>(&'a AsyncMutex);

impl Drop for AsyncMutexGuard<'_> {
    fn drop(&mut self) {
        self.0.0.release();
    }
}

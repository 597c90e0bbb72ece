//! The soft limits of a job.

use std::time::Duration;

/// The soft limits of a job, each counted from its start: past one, `should_stop()` is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftLimits {
    /// How long it runs, by the wall clock.
    pub time: Option<Duration>,
    /// The CPU time of its process.
    pub cpu: Option<Duration>,
    /// The resident memory of its process, in bytes.
    pub memory: Option<u64>,
}

impl SoftLimits {
    const SIZE: usize = 24;
    const NONE: u64 = u64::MAX;

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let nanoseconds = |time: Option<Duration>| time.and_then(|time| u64::try_from(time.as_nanos()).ok());
        let mut bytes = [0; Self::SIZE];
        let words = [nanoseconds(self.time), nanoseconds(self.cpu), self.memory];
        for (word, bytes) in words.into_iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.unwrap_or(Self::NONE).to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let word = |at: usize| {
            let word = u64::from_le_bytes(*bytes[at..].first_chunk().expect("8 bytes"));
            (word != Self::NONE).then_some(word)
        };
        Self { time: word(0).map(Duration::from_nanos), cpu: word(8).map(Duration::from_nanos), memory: word(16) }
    }
}

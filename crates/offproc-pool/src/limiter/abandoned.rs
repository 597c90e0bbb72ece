//! Counts of the tokens that abandoned jobs hold.

/// What a limiter knows of them.
#[derive(Default)]
pub(super) struct AbandonedTokens {
    pub(super) held: usize,
    /// How many have come back so far.
    pub(super) returned: u64,
    pub(super) is_watched: bool,
}

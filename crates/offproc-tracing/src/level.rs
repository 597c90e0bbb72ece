//! Levels as numbers: 0 for nothing, 1 for errors alone, up to 5 for everything.

use tracing_core::{Level, LevelFilter};

const FILTERS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

pub(crate) fn number(filter: LevelFilter) -> u8 {
    FILTERS.iter().take_while(|less| **less < filter).count() as u8
}

pub(crate) fn filter(number: u8) -> LevelFilter {
    FILTERS[usize::from(number).min(FILTERS.len() - 1)]
}

pub(crate) fn number_of(level: Level) -> u8 {
    number(LevelFilter::from_level(level))
}

pub(crate) fn level(number: u8) -> Option<Level> {
    FILTERS.get(usize::from(number))?.into_level()
}

/// The same filter for `log`.
pub(crate) fn log_filter(number: u8) -> log::LevelFilter {
    log::LevelFilter::iter().nth(usize::from(number)).unwrap_or(log::LevelFilter::Trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_everywhere() {
        for (at, expected) in FILTERS.into_iter().enumerate() {
            assert_eq!(usize::from(number(expected)), at);
            assert_eq!(filter(at as u8), expected);
            assert_eq!(level(at as u8), expected.into_level());
        }
        assert_eq!(number_of(Level::WARN), 2);
        assert_eq!(log_filter(0), log::LevelFilter::Off);
        assert_eq!(log_filter(log::Level::Debug as u8), log::LevelFilter::Debug);
        assert_eq!((level(6), filter(250)), (None, LevelFilter::TRACE));
    }
}

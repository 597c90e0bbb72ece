//! What became of requests, by kind.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::kind::Kind;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    kinds: [KindTally; Kind::ALL.len()],
    pub(crate) elapsed: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct KindTally {
    /// By status, or by why there was no answer.
    answers: BTreeMap<Result<u16, String>, usize>,
    times: Vec<Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, kind: Kind, answer: Result<u16, String>, time: Duration) {
        let tally = &mut self.kinds[kind as usize];
        *tally.answers.entry(answer).or_default() += 1;
        tally.times.push(time);
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        for (own, others) in self.kinds.iter_mut().zip(other.kinds) {
            others.answers.into_iter().for_each(|(answer, count)| *own.answers.entry(answer).or_default() += count);
            own.times.extend(others.times);
        }
        self
    }

    pub(crate) fn of(&self, kind: Kind) -> &KindTally {
        &self.kinds[kind as usize]
    }

    /// Answers, and missing ones, that are none to a request of their kind.
    pub(crate) fn strange(&self) -> Vec<(Kind, &Result<u16, String>)> {
        let of_kind = |kind: Kind| self.of(kind).answers.keys().map(move |answer| (kind, answer));
        Kind::ALL.into_iter().flat_map(of_kind).filter(|(kind, answer)| !kind.allows(answer)).collect()
    }
}

impl KindTally {
    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn count_of(&self, status: u16) -> usize {
        self.answers.get(&Ok(status)).copied().unwrap_or(0)
    }

    pub(crate) fn share_of(&self, status: u16) -> f64 {
        self.count_of(status) as f64 / self.count() as f64
    }

    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = (share * times.len() as f64).ceil() as usize;
        times.get(at.max(1) - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, tally) in Kind::ALL.into_iter().zip(&self.kinds).filter(|(_, tally)| tally.count() > 0) {
            let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|share| tally.quantile(share));
            write!(f, "  {:8}", format!("{kind:?}").to_lowercase())?;
            for (answer, count) in &tally.answers {
                match answer {
                    Ok(status) => write!(f, " {count} x {status},")?,
                    Err(error) => write!(f, " {count} x no answer ({error}),")?,
                }
            }
            writeln!(f, " p50 {p50:.1?}, p99 {p99:.1?}, worst {worst:.1?}")?;
        }
        Ok(())
    }
}

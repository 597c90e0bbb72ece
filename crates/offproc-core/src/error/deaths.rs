//! The ends of workers that one error describes.

use super::death::Death;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

/// One or more.
///
/// It is the cause of the error that it is in, and prints what that leaves out in its one line: so whatever prints an
/// error with its causes, as `{:#}` and `{:?}` of an `anyhow::Error` do, prints the whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<Death>")]
pub(super) struct Deaths(Vec<Death>);

impl Deaths {
    /// How many one error describes; it only counts more, so that a storm of deaths takes no memory.
    const MOST: usize = 16;

    pub(super) fn of(death: Death) -> Self {
        Self(vec![death])
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < Self::MOST
    }

    /// Adds one, where there is room.
    pub(super) fn push(&mut self, death: Death) {
        self.0.push(death);
    }

    pub(super) fn first(&self) -> &Death {
        &self.0[0]
    }

    pub(super) fn first_mut(&mut self) -> &mut Death {
        &mut self.0[0]
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Death> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What there is to say of them beyond the error's one line.
    pub(super) fn report(&self) -> Option<&(dyn Error + 'static)> {
        self.iter().any(Death::has_details).then_some(self)
    }
}

impl IntoIterator for Deaths {
    type Item = Death;
    type IntoIter = std::vec::IntoIter<Death>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl TryFrom<Vec<Death>> for Deaths {
    type Error = &'static str;

    fn try_from(deaths: Vec<Death>) -> Result<Self, Self::Error> {
        if deaths.is_empty() { Err("a BrokenWorkerError must have a death") } else { Ok(Self(deaths)) }
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, death) in self.iter().filter(|death| death.has_details()).enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "report of worker {}", death.pid)?;
            death.details(f)?;
        }
        Ok(())
    }
}

impl Error for Deaths {}

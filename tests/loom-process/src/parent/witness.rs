//! Nothing is watched here.

use crate::error::death::End;

#[derive(Debug)]
pub(crate) struct Witness;

pub(crate) struct Tee;

impl Witness {
    pub(crate) fn stderr(&self) -> Option<&Tee> {
        None
    }

    pub(crate) fn testify(&self, _pid: u32, _our: bool, _end: &mut End) {}
}

impl Tee {
    pub(crate) fn last_words(&self) -> String {
        String::new()
    }
}

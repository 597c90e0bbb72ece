//! Without the features that would record a call.

use super::observer::Observer;
use crate::timing::Clocks;
use offproc_core::CallOutcome;

#[derive(Debug)]
pub(crate) struct CallRecord;

impl CallRecord {
    #[inline]
    pub(crate) fn made() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn none() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn is_begun(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn is_wanted() -> bool {
        false
    }

    pub(crate) fn begin(&mut self, _: &Observer, _: usize, _: &'static str, _: &mut Option<Clocks>) {}

    #[inline]
    pub(crate) fn enter(&mut self) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn leave(self) -> Self {
        self
    }

    #[inline]
    pub(crate) fn end(self, _: CallOutcome) {}
}

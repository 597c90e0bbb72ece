//! What goes with jobs: nothing here.

pub(crate) mod attachments {
    pub(crate) fn settle_departed() {}
}

//! Windows' system calls that neither std nor rustix offers, each as a function that is safe to call, and nothing more.
//!
//! Each begins with what it calls; Microsoft's reference has a page for it under that name.

pub(super) mod console;
pub(super) mod create;
pub(super) mod handle;
pub(super) mod image;
pub(super) mod job;
pub(super) mod pipe;
pub(super) mod process;
mod result;
pub(super) mod socket;
pub(super) mod this;

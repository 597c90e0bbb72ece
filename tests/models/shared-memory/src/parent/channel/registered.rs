//! The doorbell, as `Registered` of `offproc-core` watches it.

use crate::kernel::{Shared, Watch};
use crate::parent::runtime::RuntimeSelector;
use crate::sys::fork_registry::TrackedFd;
use std::io;
use std::task::{Context, Poll};

#[derive(Debug)]
pub(crate) struct Registered {
    watch: Option<(u32, Watch)>,
    descriptor: TrackedFd,
}

impl Registered {
    pub(crate) fn new(descriptor: TrackedFd) -> Self {
        Self { watch: None, descriptor }
    }

    pub(crate) fn descriptor(&self) -> &TrackedFd {
        &self.descriptor
    }

    pub(crate) fn is_edge_triggered(&self) -> bool {
        self.watch.as_ref().is_some_and(|(_, watch)| watch.is_edge_triggered())
    }

    /// The runtime is one that polls.
    pub(crate) fn is_doubted(&self) -> bool {
        false
    }

    pub(crate) fn rest(&mut self) {}

    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>, runtime: &RuntimeSelector) -> Poll<io::Result<()>> {
        if self.watch.as_ref().is_none_or(|(registered, _)| *registered != runtime.runtime) {
            let mut watch = Watch::new(runtime.trigger);
            watch.renew();
            self.watch = Some((runtime.runtime, watch));
        }
        let (_, watch) = self.watch.as_mut().expect("made just now");
        watch.poll(&Shared::current().doorbell, cx).map(Ok)
    }
}

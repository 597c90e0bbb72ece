//! The socket pair.

use crate::wire::items::words::Bell;
use loom::sync::{Arc, Condvar, Mutex};

/// What the kernel has for one end.
#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<(u32, bool)>,
    changed: Condvar,
}

/// One end of the pair.
#[derive(Debug)]
pub(crate) struct SocketBell {
    own: Arc<Inbox>,
    other: Arc<Inbox>,
}

impl SocketBell {
    pub(crate) fn pair() -> (Self, Self) {
        let (a, b) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
        (Self { own: Arc::clone(&a), other: Arc::clone(&b) }, Self { own: b, other: a })
    }

    /// Waits for a byte or the end, and takes all there is. False at the end.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.own.state.lock().unwrap();
        while state.0 == 0 && !state.1 {
            state = self.own.changed.wait(state).unwrap();
        }
        state.0 = 0;
        !state.1
    }

    pub(crate) fn shut_down(&self) {
        for inbox in [&self.own, &self.other] {
            inbox.state.lock().unwrap().1 = true;
            inbox.changed.notify_all();
        }
    }
}

impl Bell for SocketBell {
    fn ring(&self) {
        self.other.state.lock().unwrap().0 += 1;
        self.other.changed.notify_all();
    }
}

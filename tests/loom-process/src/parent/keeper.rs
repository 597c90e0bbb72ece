//! The keeper drives its errands side by side, on one thread. Here each has its own, which allows more.

use loom::future::block_on;
use loom::thread;

pub(crate) fn entrust(errand: impl Future<Output = ()> + 'static) {
    thread::spawn(move || block_on(errand));
}

//! What a worker does around each item of a chunk.

use super::{abort_panic, panic, stop};
use crate::error::PanicError;
use crate::job::exchange::ItemHooks;

pub(super) const HOOKS: ItemHooks = ItemHooks { catch, should_stop: stop::should_stop };

fn catch(entry: usize, item: &mut dyn FnMut()) -> Result<(), PanicError> {
    abort_panic::guard_item(entry, || panic::catch(item))
}

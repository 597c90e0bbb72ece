//! How many calls a task may make before other tasks run: calls that are answered at once would never return to the
//! executor.

use std::cell::Cell;

/// How many calls a thread makes before it lets other tasks run.
const MOST: u32 = 128;

thread_local! {
    static MADE: Cell<u32> = const { Cell::new(0) };
}

/// Counts a call. True, once, when other tasks must run.
pub(super) fn is_spent() -> bool {
    let count = |made: &Cell<u32>| {
        let now = made.get() + 1;
        made.set(now % MOST);
        now == MOST
    };
    MADE.try_with(count).unwrap_or(false)
}

/// Other tasks run.
pub(super) fn renew() {
    let _ = MADE.try_with(|made| made.set(0));
}

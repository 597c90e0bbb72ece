//! Random numbers after a fork: a generator that was used before it would draw the same numbers in all forks.
#![allow(unsafe_code)]

use super::loaded;
use rustix::rand::{GetRandomFlags, getrandom};
use std::hash::{BuildHasher, RandomState};

/// Gives std's random keys new values, where this thread has drawn from them: those of `HashMap` and [`RandomState`].
///
/// std keeps them in a thread-local variable, as two numbers, and counts the first one up for each `RandomState`. This
/// finds them by their values among the executable's thread-local variables. If std keeps them elsewhere, it counts
/// them up by a number that differs in each fork.
pub(crate) fn reseed() {
    let new = drawn();
    let (first, second) = peek();
    if !replace([first.wrapping_add(1), second], new) || peek() != (new[0], new[1]) {
        (0..new[0] % (1 << 14)).for_each(|_| drop(RandomState::new()));
    }
}

/// Two numbers from the system.
fn drawn() -> [u64; 2] {
    let mut bytes = [[0; 8]; 2];
    let [a, b] = &mut bytes;
    for part in [a, b] {
        if getrandom(&mut part[..], GetRandomFlags::NONBLOCK) != Ok(8) {
            // The system has no random numbers so early: these at least differ between processes.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            *part = (now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32)).to_ne_bytes();
        }
    }
    bytes.map(u64::from_ne_bytes)
}

/// The keys that one more `RandomState` gets.
fn peek() -> (u64, u64) {
    const { assert!(size_of::<RandomState>() == size_of::<(u64, u64)>()) };
    let state = RandomState::new();
    debug_assert_eq!(state.hash_one(0), state.hash_one(0));
    // SAFETY: of the same size, and any bits are numbers.
    let keys: [u64; 2] = unsafe { std::mem::transmute(state) };
    (keys[0], keys[1])
}

/// Replaces two neighbouring numbers among this thread's variables. False where they are not there, once.
fn replace(old: [u64; 2], new: [u64; 2]) -> bool {
    // The first is the executable, which std is part of.
    let Some((start, size)) = loaded::find(|executable| Some(executable.thread_locals())).flatten() else {
        return false;
    };
    let start = start.cast::<u64>();
    if !start.is_aligned() {
        return false;
    }
    let mut found = Vec::new();
    for place in 0..(size / size_of::<u64>()).saturating_sub(1) {
        // SAFETY: within this thread's block of the object's variables, which only this thread writes to, and no
        // reference to which is alive here.
        let pair = unsafe { start.add(place).cast::<[u64; 2]>() };
        // SAFETY: as above.
        if unsafe { pair.read_volatile() } == old {
            found.push(pair);
        }
    }
    match found[..] {
        // SAFETY: it was found there just now, 128 bits that stand nowhere else: std's two `Cell`s of numbers.
        [pair] => unsafe { pair.write_volatile(new) },
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_std_are_found_and_replaced() {
        let (first, second) = peek();
        let new = drawn();
        assert!(replace([first.wrapping_add(1), second], new));
        assert_eq!(peek(), (new[0], new[1]));
    }
}

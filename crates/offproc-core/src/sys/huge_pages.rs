//! Large buffers on huge pages. A first write to a page of 4 KiB costs more than the copy into it; with huge pages
//! there are 512 times fewer of them. Most distributions give them to those that ask.

use super::kernel::madvise_hugepage;
use std::collections::TryReserveError;

/// From how many bytes on a buffer is worth the system call. The allocator reuses smaller ones, whose pages are there.
const LEAST: usize = 4 << 20;
/// The smallest page of any system.
const PAGE: usize = 4096;

/// Makes room for `more` bytes.
///
/// # Errors
///
/// There is no memory.
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), TryReserveError> {
    buffer.try_reserve_exact(more)?;
    if more >= LEAST {
        let spare = buffer.spare_capacity_mut();
        let begin = spare.as_ptr().align_offset(PAGE).min(spare.len());
        let end = begin + (spare.len() - begin) / PAGE * PAGE;
        // Without them it only takes longer.
        let _ = madvise_hugepage(&mut spare[begin..end]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no such system call")]
    fn room_is_made_and_kept() {
        for more in [0, 1, LEAST - 1, LEAST, 3 * LEAST + 5] {
            let mut buffer = vec![7];
            reserve(&mut buffer, more).unwrap();
            assert!(buffer.capacity() > more);
            buffer.resize(1 + more, 8);
            assert_eq!((buffer[0], buffer.iter().filter(|byte| **byte == 8).count()), (7, more));
        }
    }
}

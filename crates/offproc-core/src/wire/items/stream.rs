//! An item channel over a stream socket, where there is no memory to share.
//!
//! The sender writes items, each behind its length: 8 bytes, little endian. The receiver acknowledges
//! them with bytes, each of which says how many items it has received since the one before: 1 to 255.

/// The bytes of a length.
pub(crate) const HEADER: usize = 8;
/// So many acknowledgements at most are on their way at a time, if both ends keep to the protocol: fewer than the
/// smallest socket buffer has room for.
pub(crate) const UNREAD: u64 = 64;
/// As many items as one byte acknowledges.
const MOST: u64 = u8::MAX as u64;

/// What comes before an item.
pub(crate) fn header(length: usize) -> [u8; HEADER] {
    (length as u64).to_le_bytes()
}

/// The length in it.
pub(crate) fn length(header: [u8; HEADER]) -> u64 {
    u64::from_le_bytes(header)
}

/// How many items a receiver receives before it says so. While it finds none, it says so at once.
pub(crate) fn batch(capacity: u64) -> u64 {
    (capacity / UNREAD).clamp(1, MOST * UNREAD)
}

/// The acknowledgement of so many items, or of as many of them as it has room for; how many those are.
pub(crate) fn acknowledgement(items: u64, space: &mut [u8; UNREAD as usize]) -> (&[u8], u64) {
    let acknowledged = items.min(MOST * UNREAD);
    let (whole, rest) = ((acknowledged / MOST) as usize, (acknowledged % MOST) as u8);
    space[..whole].fill(u8::MAX);
    let mut length = whole;
    if rest > 0 {
        space[whole] = rest;
        length += 1;
    }
    (&space[..length], acknowledged)
}

/// How many items it is for. `None` for what no receiver writes.
pub(crate) fn acknowledged(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |sum, byte| (*byte > 0).then_some(sum + u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_says_how_many() {
        let mut space = [0; UNREAD as usize];
        for items in [1, 2, 254, 255, 256, 510, 16_319, 16_320] {
            let (bytes, count) = acknowledgement(items, &mut space);
            assert_eq!((acknowledged(bytes), count), (Some(items), items));
        }
        assert_eq!(acknowledgement(1 << 40, &mut space).1, 16_320);
        assert_eq!(acknowledged(&[1, 0]), None);
    }

    #[test]
    fn each_item_is_acknowledged_where_few_may_wait() {
        assert_eq!([0, 1, 127, 128, 6400, u64::MAX].map(batch), [1, 1, 1, 2, 100, 16_320]);
    }
}

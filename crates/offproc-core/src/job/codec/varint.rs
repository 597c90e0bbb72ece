//! Integers as postcard has them: seven bits a byte, the lowest first, the top bit set in all but the last byte; signed
//! ones in zigzag, so that small negative numbers are short.

/// How many bytes an integer of 64 bits takes at most.
const LONGEST_64: usize = 10;
/// How many bytes an integer of 128 bits takes at most.
const LONGEST_128: usize = 19;

macro_rules! varints {
    ($($name:ident $number:ident $longest:ident;)+) => {$(
        /// An integer as a varint: its bytes, and how many of them.
        pub(super) fn $name(mut value: $number) -> ([u8; $longest], usize) {
            let mut bytes = [0; $longest];
            let mut last = 0;
            while value >= 0x80 {
                bytes[last] = value as u8 | 0x80;
                value >>= 7;
                last += 1;
            }
            bytes[last] = value as u8;
            (bytes, last + 1)
        }
    )+};
}

varints! {
    of_64 u64 LONGEST_64;
    of_128 u128 LONGEST_128;
}

#[inline]
pub(super) fn zigzag_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
pub(super) fn zigzag_128(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

#[inline]
pub(super) fn unzigzag_64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[inline]
pub(super) fn unzigzag_128(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}

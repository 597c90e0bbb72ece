//! A fingerprint of an executable: 128-bit FNV-1a, which is not for secrets, only to distinguish builds.
//!
//! Two versions of offproc in one program have to agree on it; see [`MARKER`](crate::wire::marker::MARKER).

use std::ops::Range;

pub(super) struct Fingerprint(u128);

impl Fingerprint {
    const SAMPLES: usize = 16;
    const SAMPLE: usize = 64;

    pub(super) fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    pub(super) fn value(&self) -> u128 {
        self.0
    }

    /// Which parts of so many bytes to add, where all would take too long.
    pub(super) fn samples(size: usize) -> impl Iterator<Item = Range<usize>> {
        (0..Self::SAMPLES).map(move |sample| {
            let start = size / Self::SAMPLES * sample;
            start..start + Self::SAMPLE.min(size - start)
        })
    }
}

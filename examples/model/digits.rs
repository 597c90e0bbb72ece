//! Pictures of digits: drawn from a font, moved, and blurred by noise.

use serde::{Deserialize, Serialize};

/// Pixels in a row, and rows.
pub(crate) const SIDE: usize = 10;

/// Grey values from 0 to 1, row by row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Picture(pub(crate) Vec<f32>);

/// Five pixels in each of seven rows, the leftmost in the highest bit.
const FONT: [[u8; 7]; 10] = [
    [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
    [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
    [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
    [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
    [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
    [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
    [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
    [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
];

/// So many pictures, each with its digit; the same ones for the same seed.
pub(crate) fn labelled(count: usize, seed: u64) -> Vec<(Picture, u8)> {
    let mut random = Random(seed);
    (0..count).map(|number| (draw(number % 10, &mut random), (number % 10) as u8)).collect()
}

fn draw(digit: usize, random: &mut Random) -> Picture {
    let (right, down) = (2 + random.below(2), 1 + random.below(2));
    let mut pixels: Vec<f32> = (0..SIDE * SIDE).map(|_| 0.4 * random.share()).collect();
    for (row, bits) in FONT[digit].iter().enumerate() {
        for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
            // One pixel in ten has not been printed.
            let ink = if random.below(10) == 0 { 0.0 } else { 0.6 + 0.4 * random.share() };
            pixels[(row + down) * SIDE + column + right] = ink;
        }
    }
    Picture(pixels)
}

/// Numbers that look random (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn share(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }
}

//! What is uploaded: real pictures, and one that is a bomb.

use std::io::{Cursor, Write};

use image::{ImageFormat, Rgb, RgbImage};
use png::{BitDepth, ColorType, Encoder, Filter};

/// Waves of colour, as a file.
pub(crate) fn waves(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let wave = |n: u32, length: f32| (127.0 + 120.0 * (n as f32 / length).sin()) as u8;
        Rgb([wave(x + y, 23.0), wave(x * y / 64, 31.0), wave(x ^ y, 47.0)])
    });
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("memory takes it all");
    file.into_inner()
}

/// The head of a PNG, and two bytes of its pixels.
pub(crate) fn head(side: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Rgba);
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).expect("memory takes it all");
    drop(writer);
    file
}

/// Black, and nothing else: three bytes of memory for each pixel, and a file a thousand times smaller.
pub(crate) fn bomb(side: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side as u32, side as u32);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::One);
    encoder.set_palette(&[0, 0, 0, 255, 255, 255][..]);
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header().expect("a valid header");
    let mut pixels = writer.stream_writer().expect("the pixels come now");
    for _ in 0..side {
        pixels.write_all(&vec![0; side.div_ceil(8)]).expect("memory takes it all");
    }
    pixels.finish().expect("all pixels are there");
    drop(writer);
    file
}

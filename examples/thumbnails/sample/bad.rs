//! Files that are trouble for a decoder, and where such files have been found.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, Filter};

pub(crate) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let good = folder.with_file_name("fractals");
    truncated(&good.join("mandelbrot.png"), &folder.join("half-downloaded.png"))?;
    truncated(&good.join("cauliflower.webp"), &folder.join("half-copied.webp"))?;
    fs::write(folder.join("a text.png"), "Dear decoder,\n\nthis is a letter, whatever its name says.\n")?;
    fs::write(folder.join("empty.gif"), "")?;
    decompression_bomb(&folder.join("bomb.png"))?;
    hundred_scans(&folder.join("hundred-scans.jpg"))?;
    two_colours_of_four(&folder.join("two-colours-of-four.jpg"))
}

fn truncated(from: &Path, to: &Path) -> io::Result<()> {
    let whole = fs::read(from)?;
    fs::write(to, &whole[..whole.len() / 2])
}

/// 30,000 × 30,000 pixels of one colour out of two: a hundred kilobytes of file, and 2.7 gigabytes of picture.
fn decompression_bomb(to: &Path) -> io::Result<()> {
    const SIDE: u32 = 30_000;
    let mut encoder = Encoder::new(BufWriter::new(File::create(to)?), SIDE, SIDE);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::One);
    encoder.set_palette(&[20, 20, 24, 240, 80, 80][..]);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    let mut pixels = writer.stream_writer()?;
    for _ in 0..SIDE {
        pixels.write_all(&[0; SIDE as usize / 8])?;
    }
    Ok(pixels.finish()?)
}

/// A progressive JPEG comes in scans, each of which refines the picture. Each of these 98 does so for every one of
/// two million blocks, by nothing, which takes 240 bytes to say and a tenth of a second to do.
///
/// That is many seconds in all, for a file that is valid in every detail. "Two Issues with the JPEG Standard", by
/// authors of libjpeg-turbo and Mozilla, has the story.
fn hundred_scans(to: &Path) -> io::Result<()> {
    const WIDTH: u16 = 16_384;
    const HEIGHT: u16 = 8_192;
    const BLOCKS: usize = WIDTH as usize / 8 * (HEIGHT as usize / 8);
    const END_OF_RUN: u8 = 0xE0;

    let mut jpeg = vec![0xFF, 0xD8];
    segment(&mut jpeg, 0xDB, &[&[0], &[1; 64]]);
    let [[w0, w1], [h0, h1]] = [WIDTH, HEIGHT].map(u16::to_be_bytes);
    segment(&mut jpeg, 0xC2, &[&[8, h0, h1, w0, w1, 1], &[1, 0x11, 0]]);
    // The first scan: no block is brighter than the one before. A bit a block.
    huffman_table(&mut jpeg, 0x00, 0);
    scan(&mut jpeg, 0..=0, 0, &vec![0; BLOCKS / 8]);
    // The second: a faint wave across each block, or the decoder would see that there is nothing to refine. Two bits.
    huffman_table(&mut jpeg, 0x10, 1);
    scan(&mut jpeg, 1..=1, 0, &vec![0b0101_0101; BLOCKS / 4]);
    // The others: nothing new in the next 16,384 blocks, and so on. Fifteen bits each time, all of them zero.
    huffman_table(&mut jpeg, 0x10, END_OF_RUN);
    for _ in 0..96 {
        scan(&mut jpeg, 2..=63, 1, &vec![0; (BLOCKS >> 14) * 15 / 8]);
    }
    jpeg.extend([0xFF, 0xD9]);
    fs::write(to, jpeg)
}

/// One marker says that there are four colours, and another one then describes two.
///
/// zune-jpeg 0.5.15 looks for the third, and panics. Should your version know better, it counts as one more that
/// cannot be decoded.
fn two_colours_of_four(to: &Path) -> io::Result<()> {
    let mut jpeg = vec![0xFF, 0xD8];
    segment(&mut jpeg, 0xEE, &[b"Adobe\0\x64\0\0\0\0", &[2]]);
    segment(&mut jpeg, 0xDB, &[&[0], &[1; 64]]);
    segment(&mut jpeg, 0xC2, &[&[8, 0, 8, 0, 8, 2], &[1, 0x11, 0], &[2, 0x11, 0]]);
    huffman_table(&mut jpeg, 0x00, 0);
    scan(&mut jpeg, 0..=0, 0, &[0]);
    jpeg.extend([0xFF, 0xD9]);
    fs::write(to, jpeg)
}

fn segment(jpeg: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let body = parts.concat();
    jpeg.extend([0xFF, marker]);
    jpeg.extend((body.len() as u16 + 2).to_be_bytes());
    jpeg.extend(body);
}

/// A table with a single code, which is one zero bit and means `symbol`.
fn huffman_table(jpeg: &mut Vec<u8>, id: u8, symbol: u8) {
    let mut codes_by_length = [0; 16];
    codes_by_length[0] = 1;
    segment(jpeg, 0xC4, &[&[id], &codes_by_length, &[symbol]]);
}

/// A scan of the first colour, for some of its frequencies; `refines` says from which bit on.
fn scan(jpeg: &mut Vec<u8>, frequencies: std::ops::RangeInclusive<u8>, refines: u8, data: &[u8]) {
    segment(jpeg, 0xDA, &[&[1, 1, 0], &[*frequencies.start(), *frequencies.end(), refines << 4]]);
    jpeg.extend(data);
}

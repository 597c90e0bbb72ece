//! A folder of pictures: real ones, damaged ones, and ones that attack.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use crate::decoder::HOLE;

/// Writes the folder; where it is.
pub(crate) fn write() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("offproc-untrusted-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let whole = picture(None);
    fs::write(folder.join("1-good.png"), &whole)?;
    fs::write(folder.join("2-truncated.png"), &whole[..whole.len() / 2])?;
    // One bit of the pixels, well behind the header.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    fs::write(folder.join("3-flipped.png"), flipped)?;
    fs::write(folder.join("4-text.png"), "Dear decoder, this is a letter, whatever its name says.")?;
    bomb(&folder.join("5-bomb.png"))?;
    for (number, what) in ["crash", "abort", "loop", "allocate", "file", "socket", "process"].into_iter().enumerate() {
        fs::write(folder.join(format!("{}-attack-{what}.png", 6 + number)), picture(Some(what)))?;
    }
    fs::write(folder.join("99-good.png"), &whole)?;
    Ok(folder)
}

/// A sphere, lit from above.
fn picture(attack: Option<&str>) -> Vec<u8> {
    const SIDE: u16 = 128;
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, SIDE.into(), SIDE.into());
    encoder.set_color(ColorType::Grayscale);
    if let Some(attack) = attack {
        encoder.add_text_chunk(HOLE.to_owned(), attack.to_owned()).expect("a short text");
    }
    let mut writer = encoder.write_header().expect("a small picture");
    let light = |at: usize| {
        let coordinate = |n: usize| f32::from(u16::try_from(n).expect("small")) / f32::from(SIDE) * 2.0 - 1.0;
        let (x, y) = (coordinate(at % usize::from(SIDE)), coordinate(at / usize::from(SIDE)));
        let depth = 1.0 - x * x - y * y;
        if depth < 0.0 { 16 } else { (40.0 + 200.0 * (0.6 * depth.sqrt() - 0.4 * y).max(0.0)) as u8 }
    };
    let pixels: Vec<u8> = (0..usize::from(SIDE) * usize::from(SIDE)).map(light).collect();
    writer.write_image_data(&pixels).expect("a small picture");
    drop(writer);
    file
}

/// 30,000 × 30,000 pixels: a hundred kilobytes that decode to 2.7 gigabytes.
fn bomb(to: &Path) -> io::Result<()> {
    const SIDE: usize = 30_000;
    let mut encoder = Encoder::new(io::BufWriter::new(fs::File::create(to)?), SIDE as u32, SIDE as u32);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::One);
    encoder.set_palette(&[20, 20, 24, 240, 80, 80][..]);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    let mut pixels = writer.stream_writer()?;
    for _ in 0..SIDE {
        io::Write::write_all(&mut pixels, &[0; SIDE / 8])?;
    }
    Ok(pixels.finish()?)
}

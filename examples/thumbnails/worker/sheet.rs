//! All thumbnails on one sheet, with a sign in the place of each that failed.

use std::ffi::OsString;

use image::imageops::{overlay, replace};
use image::{ImageReader, Rgb, RgbImage, Rgba, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::outcome::Failure;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sheet {
    pub(crate) tiles: Vec<Tile>,
    /// Of a thumbnail, at most.
    pub(crate) size: u32,
    pub(crate) to: OsString,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Tile {
    /// The file with the thumbnail.
    Picture(OsString),
    Failed(Failure),
}

const PAPER: Rgb<u8> = Rgb([24, 26, 31]);
const MOUNT: Rgba<u8> = Rgba([36, 39, 46, 255]);
/// However many pictures there are, the sheet stays within this many pixels each way, more or less.
const LARGEST: u32 = 4_096;

impl Sheet {
    /// The error is text, because it travels.
    pub(crate) fn make(self) -> Result<(), String> {
        let count = self.tiles.len() as u32;
        // A little wider than high, as screens are.
        let columns = (f64::from(count) * 1.2).sqrt().ceil().max(1.0) as u32;
        let rows = count.div_ceil(columns);
        let size = self.size.min(LARGEST / columns).max(8);
        let gap = size / 16;
        let pitch = size + gap;

        let mut sheet = RgbImage::from_pixel(columns * pitch + gap, rows * pitch + gap, PAPER);
        for (tile, place) in self.tiles.iter().zip(0..) {
            let mut mount = RgbaImage::from_pixel(size, size, MOUNT);
            match tile {
                Tile::Picture(path) => paste(&mut mount, path)?,
                Tile::Failed(failure) => sign(&mut mount, *failure),
            }
            let (x, y) = (gap + place % columns * pitch, gap + place / columns * pitch);
            replace(&mut sheet, &image::DynamicImage::from(mount).into_rgb8(), x.into(), y.into());
        }
        sheet.save(&self.to).map_err(|error| format!("cannot write the contact sheet: {error}"))
    }
}

fn paste(mount: &mut RgbaImage, path: &OsString) -> Result<(), String> {
    let read = || ImageReader::open(path)?.decode();
    let mut picture = read().map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if picture.width().max(picture.height()) > mount.width() {
        picture = picture.thumbnail(mount.width(), mount.height());
    }
    let middle = |outer: u32, inner: u32| i64::from((outer - inner) / 2);
    let (x, y) = (middle(mount.width(), picture.width()), middle(mount.height(), picture.height()));
    overlay(mount, &picture.into_rgba8(), x, y);
    Ok(())
}

/// Draws what the summary has in front of the line: × ◷ ✱ ! ?
fn sign(mount: &mut RgbaImage, failure: Failure) {
    let (strokes, dot, ring, [r, g, b]) = match failure {
        Failure::Undecodable => (X, None, false, [240, 160, 60]),
        Failure::TimedOut => (CLOCK, None, true, [90, 170, 250]),
        Failure::Crashed => (STAR, None, false, [240, 80, 80]),
        Failure::Panicked => (BANG, Some((0.0, 0.42)), false, [200, 120, 240]),
        Failure::Other => (QUESTION, Some((0.0, 0.46)), false, [150, 155, 165]),
    };
    let size = mount.width() as f32;
    for (x, y, pixel) in mount.enumerate_pixels_mut() {
        let at = [x, y].map(|i| (2.0 * i as f32 + 1.0) / size - 1.0);
        let mut distance = strokes.iter().map(|stroke| to_stroke(at, *stroke)).fold(f32::MAX, f32::min);
        if let Some((x, y)) = dot {
            distance = distance.min(to_stroke(at, [x, y, x, y]) - 0.02);
        }
        if ring {
            distance = distance.min((at[0].hypot(at[1]) - 0.5).abs());
        }
        // Full inside of the stroke, fading over one pixel at its edge; a breath of the same colour on the mount.
        let ink = ((0.06 - distance) * size / 2.0 + 0.5).clamp(0.1, 1.0);
        let mix = |from: u8, to: u8| (f32::from(from) * (1.0 - ink) + f32::from(to) * ink) as u8;
        let [from_r, from_g, from_b, _] = pixel.0;
        *pixel = Rgba([mix(from_r, r), mix(from_g, g), mix(from_b, b), 255]);
    }
}

/// From x, y to x, y, where -1 is left or top and 1 right or bottom.
type Stroke = [f32; 4];
const X: &[Stroke] = &[[-0.4, -0.4, 0.4, 0.4], [-0.4, 0.4, 0.4, -0.4]];
const CLOCK: &[Stroke] = &[[0.0, 0.0, 0.0, -0.32], [0.0, 0.0, 0.22, 0.13]];
const STAR: &[Stroke] = &[[0.0, -0.5, 0.0, 0.5], [-0.43, -0.25, 0.43, 0.25], [-0.43, 0.25, 0.43, -0.25]];
const BANG: &[Stroke] = &[[0.0, -0.5, 0.0, 0.15]];
const QUESTION: &[Stroke] =
    &[[-0.25, -0.3, 0.0, -0.5], [0.0, -0.5, 0.25, -0.3], [0.25, -0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.18]];

fn to_stroke([x, y]: [f32; 2], [from_x, from_y, to_x, to_y]: Stroke) -> f32 {
    let (dx, dy) = (to_x - from_x, to_y - from_y);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (((x - from_x) * dx + (y - from_y) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (x - from_x - along * dx).hypot(y - from_y - along * dy)
}

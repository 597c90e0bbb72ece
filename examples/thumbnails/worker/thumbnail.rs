//! One picture: read, decoded, turned the right way up, made small, and written.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Cursor, Seek};
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};
use serde::{Deserialize, Serialize};

use crate::worker;

/// Small to send: the worker reads and writes the files itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    // Not `PathBuf`, which serde refuses where a name is not UTF-8.
    pub(crate) from: OsString,
    pub(crate) to: OsString,
    /// How wide and how high the thumbnail may be.
    pub(crate) size: u32,
    /// How many bytes the decoder may have.
    pub(crate) memory: u64,
}

/// What is worth knowing about a thumbnail that was made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Thumbnail {
    /// Of the original.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Of the thumbnail.
    pub(crate) bytes: u64,
}

/// Why there is none. Text, because the decoders' errors cannot travel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Problem {
    Decode(String),
    File(String),
}

impl Job {
    pub(crate) fn run(self) -> Result<Thumbnail, Problem> {
        // What the file begins with counts for more than what its name ends with.
        let reader = ImageReader::open(&self.from)
            .and_then(ImageReader::with_guessed_format)
            .map_err(|error| Problem::File(format!("cannot read it: {error}")))?;
        let (image, width, height) =
            decode(reader, self.size, self.memory).map_err(|error| Problem::Decode(error.to_string()))?;
        let bytes =
            save(&image, self.to.as_ref()).map_err(|error| Problem::File(format!("cannot save it: {error}")))?;
        Ok(Thumbnail { width, height, bytes })
    }
}

/// The picture made small, and its original size.
fn decode(
    mut reader: ImageReader<impl BufRead + Seek>,
    size: u32,
    memory: u64,
) -> ImageResult<(DynamicImage, u32, u32)> {
    reader.limits(limits(memory));
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(io::Error::other("the picture has no pixels").into());
    }
    let orientation = decoder.orientation()?;
    let image = DynamicImage::from_decoder(decoder)?;

    // Averaging is fast, and Lanczos is fine: the first takes a large picture most of the way down.
    let image = if width.max(height) > 2 * size { image.thumbnail(2 * size, 2 * size) } else { image };
    let mut image = if width.max(height) > size { image.resize(size, size, FilterType::Lanczos3) } else { image };
    image.apply_orientation(orientation);
    Ok((image, width, height))
}

/// A decoder's own limits are a matter of trust: not every decoder knows every limit, and each has to think of all
/// that it allocates. Where the system limits the worker, nothing else is needed.
fn limits(memory: u64) -> Limits {
    let mut limits = Limits::no_limits();
    if !worker::LIMITED_BY_SYSTEM {
        limits.max_alloc = Some(memory);
    }
    limits
}

/// Returns the size of the file.
fn save(image: &DynamicImage, to: &Path) -> io::Result<u64> {
    // PNG knows neither floating point nor every other kind of pixel.
    let alpha = image.color().has_alpha();
    let image = if alpha { DynamicImage::from(image.to_rgba8()) } else { DynamicImage::from(image.to_rgb8()) };
    let mut png = Vec::new();
    image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).map_err(io::Error::other)?;

    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    // This process may be killed at any moment. What has the final name is whole nevertheless.
    let unfinished = unfinished(to);
    fs::write(&unfinished, &png)?;
    fs::rename(&unfinished, to)?;
    Ok(png.len() as u64)
}

/// What the thumbnail `to` is called until it is written.
pub(crate) fn unfinished(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

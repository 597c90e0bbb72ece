//! The job. It runs in a worker, on bytes that a stranger has sent.

use std::fmt;
use std::io::Cursor;

use image::error::{LimitError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tracing::info;

/// How wide and how high a thumbnail is at most.
const SIDE: u32 = 256;

/// How many bytes a decoded picture may have. The worker's memory limit ends those below that are too large; of more,
/// the kernel may give nothing at all, which ends a worker as a crash does.
const LARGEST: u64 = 1 << 30;

/// A JPEG, or why there is none.
pub(crate) type Made = Result<ByteBuf, BadImage>;

/// What the decoder does not like about an upload. Text, because the decoders' errors cannot travel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BadImage(String);

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn make(upload: ByteBuf) -> Made {
    if upload.is_empty() {
        return Err(BadImage("the upload is empty".to_owned()));
    }
    let picture = decode(&upload).map_err(|error| BadImage(error.to_string()))?;
    let thumbnail = picture.thumbnail(SIDE, SIDE).to_rgb8();
    let mut jpeg = Vec::new();
    thumbnail.write_to(&mut Cursor::new(&mut jpeg), ImageFormat::Jpeg).map_err(|error| BadImage(error.to_string()))?;
    Ok(ByteBuf::from(jpeg))
}

fn decode(upload: &[u8]) -> ImageResult<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(upload)).with_guessed_format()?;
    // The decoders' own limits are a matter of trust. The worker's are not.
    reader.no_limits();
    let mut decoder = reader.into_decoder()?;
    let ((width, height), orientation) = (decoder.dimensions(), decoder.orientation()?);
    // In the log also where it is the last thing that this worker does.
    info!(width, height, "decoding");
    if decoder.total_bytes() > LARGEST {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError)));
    }
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

//! A decoder with a hole, as it runs in the workers.
//!
//! It is the `image` crate's, which has none that we know of. So we made one: a text in a PNG file, under the keyword
//! `exploit`, is what an attacker's code would do once it runs in the decoder's place.

use std::fs;
use std::io::Cursor;
use std::net::TcpStream;
use std::process::Command;

use image::{GenericImageView, ImageReader};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The keyword.
pub(crate) const HOLE: &str = "exploit";

/// What becomes of a picture.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) size: (u32, u32),
    pub(crate) middle: [u8; 4],
    /// What the hole was good for, if it was.
    pub(crate) stolen: Option<String>,
}

/// The job: the program has read the file, as a worker cannot.
pub(crate) fn decode(file: ByteBuf) -> Result<Picture, String> {
    let stolen = hole(&file).map(|what| exploit(&what));
    let mut reader = ImageReader::new(Cursor::new(&*file)).with_guessed_format().map_err(|e| e.to_string())?;
    // The worker's limits are enough.
    reader.no_limits();
    let picture = reader.decode().map_err(|e| e.to_string())?;
    let size = picture.dimensions();
    Ok(Picture { size, middle: picture.get_pixel(size.0 / 2, size.1 / 2).0, stolen })
}

fn hole(file: &[u8]) -> Option<String> {
    let reader = png::Decoder::new(Cursor::new(file)).read_info().ok()?;
    let mut texts = reader.info().uncompressed_latin1_text.iter();
    texts.find(|text| text.keyword == HOLE).map(|text| text.text.clone())
}

fn exploit(what: &str) -> String {
    match what {
        "crash" => dig(u64::MAX).to_string(),
        "abort" => std::process::abort(),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "allocate" => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1_u8; 1 << 20]);
            }
        }
        "file" => format!("{:?}", fs::read_to_string("/etc/passwd")),
        "socket" => format!("{:?}", TcpStream::connect("127.0.0.1:22")),
        "process" => format!("{:?}", Command::new("/bin/true").status()),
        other => format!("nothing, as it does not know how to {other}"),
    }
}

/// Past the end of the stack.
fn dig(depth: u64) -> u64 {
    let shaft = std::hint::black_box([depth; 512]);
    if depth == 0 { 0 } else { dig(depth - 1) + shaft[7] }
}

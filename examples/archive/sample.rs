//! A folder to pack, where none is given: two large files among many small ones.

use std::ffi::OsString;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use offproc::JobError;

/// Writes it below `parent`. Returns the folder and where its archive belongs.
pub(crate) fn write(parent: OsString) -> Result<(OsString, OsString), JobError> {
    let root = tempfile::Builder::new().prefix("offproc-archive-").tempdir_in(parent)?.keep();
    let folder = root.join("folder");
    for letter in 'a'..='z' {
        let below = folder.join(letter.to_string());
        fs::create_dir_all(&below)?;
        for number in 0..16_usize {
            log(&below.join(format!("{number:02}.log")), number * 700)?;
        }
    }
    // In the middle and at the end, with small ones before, between and behind.
    log(&folder.join("m/large.log"), 24 << 20)?;
    log(&folder.join("z/large.log"), 24 << 20)?;
    fs::write(folder.join("empty"), "")?;
    fs::write(folder.join("a").join("long name ".repeat(20)), "its name does not fit into a header of tar")?;
    Ok((folder.into(), root.join("folder.tar.gz").into()))
}

/// A file of at least this size, of lines that are alike and not the same.
fn log(path: &Path, size: usize) -> Result<(), JobError> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    let (mut written, mut random) = (0, 88_172_645_463_325_252_u64);
    while written < size {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let line =
            format!("{written:10} request {random:016x} from 10.0.{}.{}: ok\n", random % 256, random / 256 % 256);
        file.write_all(line.as_bytes())?;
        written += line.len();
    }
    file.flush()?;
    Ok(())
}

//! The sample set: a folder with pictures, good and bad, for readers who have none at hand.
//!
//! The program treats these files like those it is given on its command line.

mod bad;
mod good;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs, io, process};

/// Writes the set, and returns where it is, and where its thumbnails are to go.
pub(crate) async fn write() -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let start = Instant::now();
    let folder = new_folder()?;
    let pictures = folder.join("pictures");
    good::write(&pictures).await?;
    bad::write(&pictures.join("trouble"))?;
    fs::write(pictures.join("notes.txt"), "Not a picture, and not called one.\n")?;
    // Elsewhere it takes a privilege.
    #[cfg(unix)]
    link_in_a_circle(&pictures)?;
    println!("Wrote a sample set in {:.1?}.", start.elapsed());
    Ok((pictures, folder))
}

/// A folder that was not there. Those of earlier runs stay, and the number of a process is used again.
fn new_folder() -> Result<PathBuf, String> {
    for number in 0_u32.. {
        let folder = env::temp_dir().join(format!("offproc-thumbnails-{}-{number}", process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot create {}: {error}", folder.display())),
        }
    }
    unreachable!("there are more numbers than folders")
}

/// A folder inside of itself, as backups and build trees have them.
#[cfg(unix)]
fn link_in_a_circle(pictures: &std::path::Path) -> io::Result<()> {
    std::os::unix::fs::symlink(".", pictures.join("all of it again"))
}

//! Which files below a folder are pictures.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use walkdir::WalkDir;

pub(crate) struct Found {
    /// Relative to the folder, sorted.
    pub(crate) pictures: Vec<PathBuf>,
    /// How many files are not pictures.
    pub(crate) others: usize,
    /// Folders that cannot be read, and why.
    pub(crate) unreadable: Vec<String>,
}

/// Finds the pictures below `dir`, and skips our own results, if they are there too.
///
/// Links to files count as files. Links to folders are not followed: they may lead anywhere, and in circles.
pub(crate) fn pictures(dir: &Path, skip: &[&Path]) -> Result<Found, String> {
    let metadata = fs::metadata(dir).map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
    if !metadata.is_dir() {
        return Err(format!("{} is not a folder", dir.display()));
    }
    let skip: Vec<_> = skip.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let wanted = |path: &Path| path.canonicalize().map_or(true, |path| !skip.contains(&path));

    let mut found = Found { pictures: Vec::new(), others: 0, unreadable: Vec::new() };
    for entry in WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(|entry| wanted(entry.path())) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) if is_picture(entry.path()) => {
                found.pictures.push(entry.path().strip_prefix(dir).unwrap_or(entry.path()).to_owned());
            }
            Ok(_) => found.others += 1,
            Err(error) => found.unreadable.push(error.to_string()),
        }
    }
    if found.pictures.is_empty() {
        let problems = found.unreadable.iter().map(|problem| format!("\n{problem}")).collect::<String>();
        return Err(format!("no pictures among the {} files below {}{problems}", found.others, dir.display()));
    }
    Ok(found)
}

/// By its name, or if that has no extension, by its first bytes. A file that then turns out to be no picture is
/// reported as a failure, not skipped.
fn is_picture(path: &Path) -> bool {
    // A pipe is not even opened: that alone could take for ever.
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    if path.extension().is_some() {
        return ImageFormat::from_path(path).is_ok();
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
    // The signatures of these two are letters that a text may begin with.
    let sure = |format| !matches!(format, ImageFormat::Bmp | ImageFormat::Pnm);
    read.is_ok() && image::guess_format(&start).is_ok_and(sure)
}

//! Reads an archive again, in a worker as well.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;

use flate2::read::MultiGzDecoder;
use offproc::JobError;
use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

/// Says how many files are in the archive, all of them with the hash that they had when they were packed.
pub(crate) fn verify((archive, hashes): (OsString, Vec<(OsString, String)>)) -> Result<String, JobError> {
    let mut expected: BTreeMap<_, _> = hashes.into_iter().collect();
    let count = expected.len();
    let mut archive = Archive::new(MultiGzDecoder::new(io::BufReader::new(File::open(archive)?)));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned().into_os_string();
        let mut hash = Sha256::new();
        match entry.header().entry_type() {
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or("a link without a target")?;
                hash.update(target.as_os_str().as_encoded_bytes());
            }
            _ => drop(io::copy(&mut entry, &mut hash)?),
        }
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        match expected.remove(&name) {
            Some(packed) if packed == hash => {}
            Some(_) => return Err(format!("{} has changed in the archive", name.display()).into()),
            None => return Err(format!("{} should not be in the archive", name.display()).into()),
        }
    }
    match expected.into_keys().next() {
        None => Ok(format!("Verified: the archive has all {count} files, as they were read")),
        Some(missing) => Err(format!("{} is missing in the archive", missing.display()).into()),
    }
}

//! What a worker does: it packs one file.
//!
//! Each member of the archive is a gzip stream of its own. Several of them in a row are one valid file for gzip and
//! tar.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use offproc::{JobError, Sender};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// How much is read at a time.
const PIECE: usize = 1 << 20;
/// The unit of a tar archive.
const BLOCK: usize = 512;
/// The name of an entry that has the long name of the next one.
const LONG: &[u8] = b"././@LongLink";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) folder: OsString,
    /// Below the folder, and in the archive.
    pub(crate) name: OsString,
    pub(crate) pieces: Sender<Piece>,
}

/// Some of a file, packed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// How many bytes of the file were read for it.
    pub(crate) read: u64,
    pub(crate) packed: ByteBuf,
}

/// A file that has been packed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: OsString,
    pub(crate) size: u64,
    /// SHA-256, in hexadecimal.
    pub(crate) hash: String,
}

/// Packs a file, and sends it piece by piece. Ends early where the receiver is gone.
pub(crate) fn pack(job: Job) -> Result<Member, JobError> {
    let path = Path::new(&job.folder).join(&job.name);
    let metadata = fs::symlink_metadata(&path)?;
    let mut packer = GzEncoder::new(Vec::with_capacity(PIECE), Compression::default());
    let (mut hash, mut size) = (Sha256::new(), 0);
    if metadata.is_symlink() {
        let target = fs::read_link(&path)?;
        packer.write_all(&header(&job.name, &metadata, Some(&target)))?;
        hash.update(target.as_os_str().as_encoded_bytes());
    } else {
        packer.write_all(&header(&job.name, &metadata, None))?;
        let mut file = File::open(&path)?.take(metadata.len());
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            packer.write_all(&piece[..read])?;
            size += read as u64;
            let packed = std::mem::replace(packer.get_mut(), Vec::with_capacity(PIECE));
            job.pieces.send(Piece { read: read as u64, packed: packed.into() }).wait()?;
        }
        if size < metadata.len() {
            return Err("it has become shorter while it was read".into());
        }
        packer.write_all(&padding(size))?;
    }
    job.pieces.send(Piece { read: 0, packed: packer.finish()?.into() }).wait()?;
    let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Member { name: job.name, size, hash })
}

/// The end of the archive.
pub(crate) fn end() -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&[0; 2 * BLOCK])?;
    packer.finish()
}

/// What stands in front of a file. A name or a target that is too long for it comes before it, as GNU's tar does it.
fn header(name: &OsString, metadata: &Metadata, target: Option<&Path>) -> Vec<u8> {
    let mut blocks = Vec::new();
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    if let Some(target) = target {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        if header.set_link_name(target).is_err() {
            long(&mut blocks, EntryType::GNULongLink, target.as_os_str().as_encoded_bytes());
        }
    }
    if header.set_path(name).is_err() {
        long(&mut blocks, EntryType::GNULongName, name.as_encoded_bytes());
    }
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
    blocks
}

fn long(blocks: &mut Vec<u8>, kind: EntryType, text: &[u8]) {
    let size = text.len() as u64 + 1;
    let mut header = Header::new_gnu();
    // Not by `set_path`, which leaves the dots out.
    header.as_mut_bytes()[..LONG.len()].copy_from_slice(LONG);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
    blocks.extend_from_slice(text);
    blocks.push(0);
    blocks.extend_from_slice(&padding(size));
}

fn padding(size: u64) -> Vec<u8> {
    let over = (size % BLOCK as u64) as usize;
    vec![0; (BLOCK - over) % BLOCK]
}

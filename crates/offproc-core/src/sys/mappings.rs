//! Which files are mapped in this process, and the identity of a file.

use super::fd_numbers::is_shortage;
use rustix::fs::{FileType, Stat, major, minor};
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: (u32, u32),
    inode: u64,
}

impl FileId {
    /// The file that a path leads to, where it is a regular one: nothing happens by opening that.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Self::of_stat(&rustix::fs::stat(path)?)
    }

    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        Self::of_stat(&rustix::fs::fstat(file)?)
    }

    fn of_stat(stat: &Stat) -> io::Result<Self> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Self { device: (major(stat.st_dev), minor(stat.st_dev)), inode: stat.st_ino }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// A part of a file that is mapped.
#[derive(Debug)]
pub(crate) struct Mapping {
    range: Range<usize>,
    file: FileId,
    /// `None` where it is not a file's, or the kernel says that the file was deleted.
    pub(crate) path: Option<PathBuf>,
}

impl Mapping {
    /// Whether it is of the file that was found at a path.
    pub(crate) fn is_of(&self, path: &Path, file: FileId) -> bool {
        // Some file systems (btrfs, overlays) report another device in the list of mappings than elsewhere. Then both
        // must have the same path.
        self.file == file
            || self.file.inode == file.inode
                && file.inode != 0
                && self.path.is_some()
                && self.path == std::fs::read_link(path).ok()
    }
}

/// All of them; none where there is no `/proc`.
#[derive(Debug)]
pub(crate) struct Mappings(Vec<Mapping>);

impl Mappings {
    pub(crate) fn of_this_process() -> io::Result<Self> {
        match std::fs::read("/proc/self/maps") {
            Ok(list) => Ok(Self(list.split(|byte| *byte == b'\n').filter_map(parse).collect())),
            // A lack of descriptors or memory must not look like another executable.
            Err(e) if is_shortage(&e) => Err(e),
            Err(_) => Ok(Self(Vec::new())),
        }
    }

    pub(crate) fn at(&self, address: usize) -> Option<&Mapping> {
        self.0.iter().find(|mapping| mapping.range.contains(&address))
    }
}

/// A line: `7f00-7fff r-xp 00001000 08:02 1234   /path`.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut word = || words.next().and_then(|word| std::str::from_utf8(word).ok());
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let (start, end) = word()?.split_once('-')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let (_rights, _offset) = (word()?, word()?);
    let (major, minor) = word()?.split_once(':')?;
    let device = (u32::try_from(hex(major)?).ok()?, u32::try_from(hex(minor)?).ok()?);
    let inode = word()?.parse().ok()?;
    let path = words.next().map(<[u8]>::trim_ascii_start).filter(|path| path.starts_with(b"/"));
    let path = path.filter(|path| !path.ends_with(b" (deleted)")).map(|path| OsStr::from_bytes(path).into());
    Some(Mapping { range, file: FileId { device, inode }, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_this_test_is_of_its_executable() {
        let mapped = Mappings::of_this_process().unwrap();
        let code = mapped.at(parse as fn(&[u8]) -> Option<Mapping> as usize).unwrap();
        let itself = std::env::current_exe().unwrap();
        assert_eq!(code.path.as_ref(), Some(&itself));
        assert!(code.is_of(&itself, FileId::at(&itself).unwrap()));
        let other = Path::new("/proc/self/status");
        assert!(!code.is_of(other, FileId::at(other).unwrap()));
    }

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let of = |line: &str| parse(line.as_bytes());
        let file = of("55d0a000-55d0b000 r-xp 00001000 fd:1a 1311 /a path/with spaces").unwrap();
        assert_eq!((file.range, file.file), (0x55d0_a000..0x55d0_b000, FileId { device: (0xfd, 0x1a), inode: 1311 }));
        assert_eq!(file.path.as_deref(), Some(Path::new("/a path/with spaces")));
        assert_eq!(of("55d0a000-55d0b000 r-xp 0 fd:1a 1311     /gone (deleted)").unwrap().path, None);
        assert_eq!(of("7ffd0000-7ffd1000 rw-p 00000000 00:00 0     [stack]").unwrap().path, None);
        assert_eq!(of("7ffd0000-7ffd1000 rw-p 00000000 00:00 0").unwrap().path, None);
        assert!(of("").is_none() && of("nonsense").is_none());
    }
}

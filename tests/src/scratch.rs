//! Folders and files for one test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes with its owner.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder.
    ///
    /// # Panics
    ///
    /// It could not be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("offproc-test-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    /// The path of a file in it, as an argument for a job.
    ///
    /// # Panics
    ///
    /// Temporary folders have no UTF-8 name here.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().expect("a UTF-8 path")
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file without a name, for output that is not to fill a pipe.
///
/// # Panics
///
/// It could not be made.
#[cfg(unix)]
#[must_use]
pub fn unnamed_file() -> File {
    rustix::fs::memfd_create("output", rustix::fs::MemfdFlags::CLOEXEC).expect("a file in memory").into()
}

/// A file that goes with its last handle, for output that is not to fill a pipe.
///
/// # Panics
///
/// It could not be made.
#[must_use]
#[cfg(windows)]
pub fn unnamed_file() -> File {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_DELETE_ON_CLOSE;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("offproc-output-{}-{count}", std::process::id()));
    let mut options = File::options();
    options.read(true).write(true).create(true).custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    options.open(path).expect("a temporary file")
}

/// Appends to a file, for a job that is to leave a trace.
///
/// # Panics
///
/// It could not be written.
pub fn append(path: &str, text: &str) {
    use std::io::Write;
    let mut file = File::options().create(true).append(true).open(path).expect("the trace can be opened");
    file.write_all(text.as_bytes()).expect("the trace can be written");
}

/// What such traces add up to; nothing where none was left.
#[must_use]
pub fn trace(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

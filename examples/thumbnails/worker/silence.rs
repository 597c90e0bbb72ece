//! Keeps workers from writing across the progress bar.

/// Run once in each worker, before its first job.
///
/// A worker has the program's own stderr, and what runs out of memory says so there as it dies. Here that would spoil
/// the progress bar, and the summary tells the same.
pub(crate) fn silence() {
    #[cfg(unix)]
    if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(nowhere);
    }
}

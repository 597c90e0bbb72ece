//! Keeps workers from writing across the progress bar.

/// Run once in each worker, before its first job.
///
/// A worker has the program's own stderr, and a worker that runs out of memory says so there as it dies. Here that
/// would spoil the progress bar, and the summary has the same information.
pub(crate) fn silence() {
    #[cfg(unix)]
    if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(nowhere);
    }
}

//! What the portable build has not: see docs/platforms.md.

/// True in the portable build, for a test that is left out there. Prints why.
#[must_use]
pub fn is_left_out(reason: &str) -> bool {
    let is_portable = cfg!(offproc_portable);
    if is_portable {
        println!("left out of the portable build: {reason}");
    }
    is_portable
}

//! The check that a test leaves no process and no descriptor behind.

use crate::process;
use crate::waiting::{PATIENCE, blocking_until};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Runs a test, and then waits until it has left no child, no zombie, and no descriptor more than there were before.
///
/// The default context is never closed: its idle workers are killed here, and its cache has to notice.
pub fn check(test: impl FnOnce()) {
    // The reactor of `async-io` opens its descriptors once and keeps them.
    drop(smol::Async::<OwnedFd>::new(rustix::pipe::pipe().expect("a pipe").0));
    assert_eq!(process::children(), [], "a test begins without children");
    let before = descriptors();
    test();
    let in_default_context = || offproc::default_context_statistics().idle_workers;
    blocking_until(
        || process::children().len() == in_default_context(),
        || {
            let in_use = in_default_context();
            format!("children left: {:?}, {in_use} of them idle in the default context", process::describe_children())
        },
    );
    for child in process::children() {
        process::kill(child);
    }
    blocking_until(
        || process::children().is_empty() && in_default_context() == 0,
        || format!("children left: {:?}", process::describe_children()),
    );
    blocking_until(
        || descriptors().len() <= before.len(),
        || {
            let mut left = descriptors();
            left.retain(|number, what| before.get(number) != Some(what));
            format!(
                "{} descriptors were open before, and within {PATIENCE:?} these were not closed: {left:?}",
                before.len()
            )
        },
    );
}

/// All open descriptors and what they are of.
fn descriptors() -> BTreeMap<i32, PathBuf> {
    let listed = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let open = listed.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number = path.file_name()?.to_str()?.parse().ok()?;
        // The one that lists them is closed by now.
        Some((number, std::fs::read_link(path).ok()?))
    });
    let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    open.filter(|(_, target)| *target != own).collect()
}

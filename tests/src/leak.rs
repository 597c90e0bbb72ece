//! The check that a test leaves no process and no descriptor behind.

use crate::process::{self, Family};
use crate::waiting::{PATIENCE, blocking_until};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::PathBuf;

/// Runs a test, and then waits until it has left no child, no zombie, and no descriptor more than there were before.
pub fn check(test: impl FnOnce()) {
    // The reactor of `async-io` opens its descriptors once and keeps them.
    drop(smol::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a socket"));
    // So does the first runtime of tokio with a socket pair for signals, if a crate of the workspace asks for them.
    drop(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    assert!(Family::now().is_empty(), "a test begins alone");
    let before = descriptors();
    test();
    end_default_context();
    blocking_until(|| Family::now().is_empty(), || format!("processes are left: {:?}", Family::now()));
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

/// The default context is never closed, but it can be replaced once it has no workers. So its idle ones are killed,
/// which its cache has to notice; no other context may have left any.
fn end_default_context() {
    let idle = || offproc::default_context_statistics().idle_workers;
    blocking_until(
        || idle() == 0 || Family::now().workers().len() == idle(),
        || format!("{} workers are idle in the default context, and there are: {:?}", idle(), Family::now()),
    );
    if idle() > 0 {
        Family::now().workers().into_iter().for_each(process::kill);
    }
    blocking_until(
        || offproc::configure_default_context(offproc::WorkerContext::builder()).is_ok(),
        || "the default context still has workers".to_owned(),
    );
}

#[cfg(unix)]
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

/// All open handles: only their number is known. The system opens some of its own for a wait or a socket, and keeps
/// them for the next.
#[cfg(windows)]
fn descriptors() -> BTreeMap<usize, PathBuf> {
    const KEPT: usize = 12;
    (0..crate::windows::handles::count().saturating_sub(if WAS_COUNTED.replace(true) { KEPT } else { 0 }))
        .map(|number| (number, PathBuf::new()))
        .collect()
}

#[cfg(windows)]
thread_local! {
    static WAS_COUNTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

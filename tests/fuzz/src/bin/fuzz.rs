//! One target, guided by coverage: libFuzzer calls it, and the name of the target is in the environment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offproc_fuzz::TARGETS;
use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("OFFPROC_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.into_iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("OFFPROC_FUZZ_TARGET must be one of {:?}", TARGETS.map(|(name, _)| name))).1
});

fuzz_target!(|data: &[u8]| TARGET(data));

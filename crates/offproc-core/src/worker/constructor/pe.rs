//! The process becomes a worker before `main`: by one entry among the C runtime's initialisers.
//!
//! They are in sections whose names sort by the alphabet. Those of C++ and of crates are in `.CRT$XCU`, so all of them
//! have run before this one. The loader holds no lock by now, unlike in a TLS callback: threads can be started and
//! joined.
#![allow(unsafe_code)]

use super::entry::enter;

// SAFETY: the section holds pointers to functions of exactly this type, which the C runtime calls once, on the only
// thread there is.
#[used]
#[unsafe(link_section = ".CRT$XCY")]
static ENTRY: unsafe extern "C" fn() = entry;

/// In a worker this serves, and never returns; elsewhere it only records that the program can start workers.
unsafe extern "C" fn entry() {
    enter(&mut || {});
}

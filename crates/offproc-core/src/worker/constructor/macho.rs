//! The process becomes a worker before `main`: by one entry in the executable's array of constructors. A linker may
//! write it as an array of distances in place of pointers.
#![allow(unsafe_code)]

use super::entry::enter;
use crate::sys::image::Image;
use std::ffi::{c_char, c_int};

type Strings = *const *const c_char;
type Constructor = unsafe extern "C" fn(c_int, Strings, Strings, Strings);

// SAFETY: the section holds pointers to functions of exactly this type, which dyld calls once, on the only thread there
// is.
#[used]
#[unsafe(link_section = "__DATA,__mod_init_func")]
static ENTRY: Constructor = entry;

/// In a worker this runs the constructors that would come after it, serves, and never returns; elsewhere it only
/// records that the program can start workers.
unsafe extern "C" fn entry(argc: c_int, argv: Strings, envp: Strings, apple: Strings) {
    enter(&mut || {
        let after_me = Image::current().constructors().skip_while(|c| *c != entry as *const () as usize).skip(1);
        for constructor in after_me {
            // SAFETY: the entry stands in the executable's array of constructors, so it is such a function; dyld would
            // have called it next with the same arguments, and never will, as this entry does not return to it.
            let constructor: Constructor = unsafe { std::mem::transmute(constructor) };
            // SAFETY: as above.
            unsafe { constructor(argc, argv, envp, apple) };
        }
    });
}

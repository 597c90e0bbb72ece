//! Workers behind a command. This program is its own worker: with `--worker` it serves, and does nothing else. So it
//! has no harness but this one: a name, or a part of one, as argument runs the tests of that name.

#[cfg(unix)]
mod unix;

fn main() {
    #[cfg(unix)]
    unix::main();
}

//! A program for tests that are about Unix alone.

#[cfg(unix)]
mod unix;

fn main() {
    #[cfg(unix)]
    unix::main();
}

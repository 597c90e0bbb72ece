//! A program without the feature `auto-init`. With the argument `init` it begins as it should.

use offproc::run_sync;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("init") {
        offproc::init();
    }
    println!("main runs");
    match futures::executor::block_on(async { run_sync(|n: u8| n + 1, 1).await }) {
        Ok(two) => println!("{two}"),
        Err(e) => println!("{e}"),
    }
}

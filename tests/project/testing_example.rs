//! The tests that docs/testing.md shows.

use offproc::{Error, run_sync};

fn parse(text: String) -> Option<u32> {
    text.trim().parse().ok()
}

#[tokio::test]
async fn parses() {
    assert_eq!(run_sync(parse, " 7 ".to_owned()).await.unwrap(), Some(7));
}

#[test]
fn parses_without_a_runtime() {
    assert_eq!(run_sync(parse, "no".to_owned()).wait().unwrap(), None);
}

#[test]
fn a_crash_is_an_error() {
    let crash = run_sync(|()| -> () { std::process::abort() }, ()).wait();
    assert!(matches!(crash, Err(Error::BrokenWorker(_))));
}

use super::*;
use rustix::fs::{OFlags, fcntl_setfl};
use std::sync::mpsc::channel;

#[test]
#[cfg_attr(miri, ignore = "Miri has no such system call")]
fn a_bell_made_blocking_and_emptied_by_the_worker_does_not_hold_the_parent_up() {
    let (ours, theirs) = doorbell().unwrap();
    fcntl_setfl(&theirs, OFlags::empty()).unwrap();
    let (done, is_done) = channel();
    let silent = ours.clone();
    std::thread::spawn(move || {
        silence(&silent);
        done.send(()).unwrap();
    });
    let in_time = is_done.recv_timeout(Duration::from_secs(30));
    // Whatever became of it, that thread is to end.
    rustix::io::write(&theirs, &1_u64.to_ne_bytes()).unwrap();
    in_time.expect("it waits for a ring");
    silence(&ours);
    assert_eq!(silence(&ours), 0);
}

//! Large values, and the memory that they leave behind.

use offproc::{Transport, WorkerContext};
use offproc_tests::isolated;
use offproc_tests::portable::is_left_out;
use serde_bytes::ByteBuf;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

isolated!(the_memory_of_large_jobs_is_kept_for_the_next_and_given_back_after_small_ones);

const MIB: usize = 1 << 20;

fn the_memory_of_large_jobs_is_kept_for_the_next_and_given_back_after_small_ones() {
    if is_left_out("it shares no memory") {
        return;
    }
    let context = WorkerContext::builder().transport(Transport::SharedMemory).max_concurrency(1).open().unwrap();
    let echo = |size: usize| {
        let bytes = context.run_sync(|bytes: ByteBuf| bytes, ByteBuf::from(vec![7; size])).wait().unwrap();
        assert_eq!((bytes.len(), bytes.first(), bytes.last()), (size, Some(&7), Some(&7)));
        shared_memory()
    };
    assert!(echo(1) < MIB);
    assert!(echo(64 * MIB) > 60 * MIB);
    // One in a few is enough.
    for _ in 0..7 {
        assert!(echo(1) > 60 * MIB);
    }
    assert!(echo(64 * MIB) > 60 * MIB);
    for _ in 0..8 {
        echo(1);
    }
    assert!(shared_memory() <= 16 * MIB);
    // More than all workers keep together.
    assert!(echo(300 * MIB) <= 16 * MIB);
    context.close().wait().unwrap();
}

/// How many bytes the shared memory of workers has that are backed by pages.
fn shared_memory() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |fd: &PathBuf| std::fs::read_link(fd).is_ok_and(|to| to.as_os_str() == "/memfd:offproc (deleted)");
    let memory = descriptors.filter(is_ours);
    memory.map(|fd| usize::try_from(std::fs::metadata(fd).unwrap().blocks()).unwrap() * 512).sum()
}

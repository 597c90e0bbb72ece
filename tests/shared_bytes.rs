//! Buffers that are lent, not copied.

use offproc::SharedBytes;
use offproc_tests::{Case, Executor, WorkerKind, isolated, job};

isolated!(a_fork_of_the_program_does_not_keep_one_from_being_sealed);

fn a_fork_of_the_program_does_not_keep_one_from_being_sealed() {
    let forks = Case::new(Executor::FuturesBlockOn, WorkerKind::Fork).context();
    let call = || futures::executor::block_on(async { forks.run_sync(job::pid, ()).await });
    // The first one has the program watch its forks.
    call().expect("a worker");
    // Another one, which lives on while the memory is sealed.
    let held = Case::new(Executor::FuturesBlockOn, WorkerKind::Fork).context();
    let bytes = SharedBytes::fill(1 << 16, |memory| {
        futures::executor::block_on(async { held.run_sync(job::pid, ()).await }).expect("a worker");
        memory.fill(7);
    });
    assert_eq!(*bytes.expect("it can be sealed"), [7; 1 << 16]);
    for context in [forks, held] {
        futures::executor::block_on(context.close()).expect("a clean end");
    }
}

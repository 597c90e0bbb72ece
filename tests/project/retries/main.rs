//! The recipes of docs/recipes.md for jobs that run again after a crash.

#[expect(unreachable_pub, reason = "the page shows it as a module of a program")]
mod backon;
#[expect(unreachable_pub, reason = "the page shows it as a module of a program")]
mod tower;

use offproc::Error;
use offproc_tests::scratch::{Scratch, append, trace};
use offproc_tests::{Executor, isolated};

isolated!(with_backon, with_tower);

/// Crashes as many times, and returns the length of its trace.
fn crash((path, times): (String, usize)) -> usize {
    append(&path, "x");
    let runs = trace(&path).len();
    if runs <= times {
        std::process::abort();
    }
    runs
}

/// Runs the recipe with a job that crashes once, with one that always does, and with one that panics.
macro_rules! recipe {
    ($run:path) => {
        Executor::TokioCurrentThread.block_on(async {
            let scratch = Scratch::new();
            assert_eq!($run(crash, (scratch.path("once"), 1)).await.unwrap(), 2);
            let always = scratch.path("always");
            assert!(matches!($run(crash, (always.clone(), usize::MAX)).await, Err(Error::BrokenWorker(_))));
            assert_eq!(trace(&always).len(), 4);
            let panics = |path: String| -> () {
                append(&path, "x");
                panic!("a bug");
            };
            let path = scratch.path("panics");
            assert!(matches!($run(panics, path.clone()).await, Err(Error::Panicked(_))));
            assert_eq!(trace(&path).len(), 1);
        })
    };
}

fn with_backon() {
    recipe!(backon::run);
}

fn with_tower() {
    recipe!(tower::run);
}

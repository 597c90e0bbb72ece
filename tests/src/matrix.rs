/// Makes tests of functions `async fn(Case)`: one for each runtime and each kind of worker, named for instance
/// `kills_a_running_job::tokio_multi_thread::spawn`.
///
/// `matrix!(except fork: ...)` leaves out the kind of worker that promises less than the others, and
/// `matrix!(only fork_server: ...)` is about fork servers. `matrix!(with and without memory files: ...)` runs each cell
/// twice.
#[macro_export]
macro_rules! matrix {
    (except fork: $($body:ident),+ $(,)?) => {
        $($crate::matrix!(@runtimes run $body [(all(), spawn Spawn) (unix, fork_server ForkServer)]);)+
    };
    (with and without memory files: $($body:ident),+ $(,)?) => {
        $($crate::matrix!(@runtimes run_with_and_without_memory_files $body
            [(all(), spawn Spawn) (unix, fork_server ForkServer) (unix, fork Fork)]);)+
    };
    (only fork_server: $($body:ident),+ $(,)?) => {
        $($crate::matrix!(@runtimes run $body [(unix, fork_server ForkServer)]);)+
    };
    ($($body:ident),+ $(,)?) => {
        $($crate::matrix!(@runtimes run $body
            [(all(), spawn Spawn) (unix, fork_server ForkServer) (unix, fork Fork)]);)+
    };
    (@runtimes $run:ident $body:ident $workers:tt) => {
        mod $body {
            $crate::matrix!(@runtime $run tokio_current_thread TokioCurrentThread $body $workers);
            $crate::matrix!(@runtime $run tokio_multi_thread TokioMultiThread $body $workers);
            $crate::matrix!(@runtime $run async_std AsyncStd $body $workers);
            $crate::matrix!(@runtime $run smol Smol $body $workers);
            $crate::matrix!(@runtime $run futures_block_on FuturesBlockOn $body $workers);
        }
    };
    (@runtime $run:ident $runtime:ident $executor:ident $body:ident
        [$(($systems:meta, $workers:ident $kind:ident))+]) => {
        mod $runtime {$(
            #[cfg($systems)]
            #[test]
            fn $workers() {
                let case = $crate::Case::new($crate::Executor::$executor, $crate::WorkerKind::$kind);
                let name = concat!(module_path!(), "::", stringify!($workers));
                $crate::isolate::$run(name, || case.executor().block_on(super::super::$body(case)));
            }
        )+}
    };
}

/// Makes tests of plain functions `fn()`, each in a process of its own and checked for leaks, for what no runtime is
/// part of.
#[macro_export]
macro_rules! isolated {
    (with and without memory files: $($body:ident),+ $(,)?) => {
        $crate::isolated!(@run run_with_and_without_memory_files $($body),+);
    };
    ($($body:ident),+ $(,)?) => {
        $crate::isolated!(@run run $($body),+);
    };
    (@run $run:ident $($body:ident),+) => {
        mod isolated {$(
            #[test]
            fn $body() {
                $crate::isolate::$run(concat!(module_path!(), "::", stringify!($body)), super::$body);
            }
        )+}
    };
}

/// Makes tests of functions `async fn(Case)`: one for each runtime and each kind of worker, named for instance
/// `kills_a_running_job::tokio_multi_thread::spawn`.
#[macro_export]
macro_rules! matrix {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            $crate::matrix!(@runtime tokio_current_thread TokioCurrentThread $body);
            $crate::matrix!(@runtime tokio_multi_thread TokioMultiThread $body);
            $crate::matrix!(@runtime async_std AsyncStd $body);
            $crate::matrix!(@runtime smol Smol $body);
            $crate::matrix!(@runtime futures_block_on FuturesBlockOn $body);
        }
    )+};
    (@runtime $runtime:ident $executor:ident $body:ident) => {
        mod $runtime {
            $crate::matrix!(@workers spawn Spawn $executor $body);
        }
    };
    (@workers $workers:ident $kind:ident $executor:ident $body:ident) => {
        #[test]
        fn $workers() {
            let case = $crate::Case::new($crate::Executor::$executor, $crate::WorkerKind::$kind);
            let name = concat!(module_path!(), "::", stringify!($workers));
            $crate::isolate::run(name, || case.executor().block_on(super::super::$body(case)));
        }
    };
}

/// Makes tests of plain functions `fn()`, each in a process of its own and checked for leaks, for what no runtime is
/// part of.
#[macro_export]
macro_rules! isolated {
    ($($body:ident),+ $(,)?) => {
        mod isolated {$(
            #[test]
            fn $body() {
                $crate::isolate::run(concat!(module_path!(), "::", stringify!($body)), super::$body);
            }
        )+}
    };
}

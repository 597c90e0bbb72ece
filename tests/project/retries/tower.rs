use offproc::{Error, Transfer, run_sync};
use std::future::{Ready, ready};
use tower::retry::Policy;
use tower::{ServiceBuilder, ServiceExt};

/// How often a job may still run again.
#[derive(Clone)]
struct Crashes(u32);

impl<A: Clone, R> Policy<A, R, Error> for Crashes {
    type Future = Ready<()>;

    fn retry(&mut self, _arg: &mut A, result: &mut Result<R, Error>) -> Option<Self::Future> {
        if self.0 == 0 || !matches!(result, Err(error) if error.is_crash()) {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, arg: &A) -> Option<A> {
        Some(arg.clone())
    }
}

/// Runs the job again where its worker died, three times at most.
pub async fn run<A: Transfer + Clone, R: Transfer>(f: fn(A) -> R, arg: A) -> Result<R, Error> {
    let service = ServiceBuilder::new().retry(Crashes(3)).service_fn(move |arg| run_sync(f, arg));
    service.oneshot(arg).await
}

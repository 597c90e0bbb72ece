//! Abandoned jobs that hold all tokens of a limiter: calls wait, and offproc warns on stderr, once.

use futures::poll;
use offproc::{Limiter, RunSync, WorkerContext};
use offproc_tests::rendezvous::{Arrivals, Gate};
use offproc_tests::scratch::{Scratch, unnamed_file};
use offproc_tests::waiting::{drive_until, until};
use offproc_tests::{Case, Executor, isolated, job, matrix};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

matrix!(are_counted, are_given_back_although_a_waker_panics);

isolated!(are_reported_once, are_not_reported_if_no_call_waits_or_a_token_is_free,);

/// A call whose job runs until the gate admits it, with a token of the limiter.
async fn holds_the_token(
    scratch: &Scratch,
    gate: &Gate,
    context: &WorkerContext,
    limiter: &Limiter,
) -> RunSync<(String, String, String), ()> {
    let arrivals = Arrivals::new(scratch, "arrivals");
    let arguments = (arrivals.ticket(), gate.ticket(), scratch.path("trace"));
    let mut call = context.run_sync(job::work, arguments).limiter(limiter);
    drive_until(&mut call, arrivals.next()).await;
    call
}

async fn are_counted(case: Case) {
    let scratch = Scratch::new();
    let (gate, context, one) = (Gate::new(&scratch, "gate"), case.context(), Limiter::new(1));
    let call = holds_the_token(&scratch, &gate, &context, &one).await;
    assert_eq!(context.statistics().abandoned_jobs, 0);
    drop(call);
    let mut waits = context.run_sync(|n: u8| n, 1).limiter(&one);
    assert!(poll!(&mut waits).is_pending());
    let now = context.statistics();
    assert_eq!((now.abandoned_jobs, now.running_workers, now.waiting_calls, one.waiting()), (1, 1, 1, 1));
    drop(waits);
    assert_eq!((context.statistics().waiting_calls, one.waiting()), (0, 0));
    gate.admit_one();
    context.close().await.unwrap();
    let now = context.statistics();
    assert_eq!((now.abandoned_jobs, now.running_workers, now.waiting_calls), (0, 0, 0));
    assert_eq!(one.borrowed_tokens(), 0);
}

/// The task that sees the job to its end panics in it.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("in a waker");
    }
}

async fn are_given_back_although_a_waker_panics(case: Case) {
    let scratch = Scratch::new();
    let (gate, context, one) = (Gate::new(&scratch, "gate"), case.context(), Limiter::new(1));
    let call = holds_the_token(&scratch, &gate, &context, &one).await;
    drop(call);
    let (waker, mut waiter) = (Waker::from(Arc::new(Panics)), Box::pin(one.acquire()));
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    gate.admit_one();
    // It waits for the job, and for whatever is counted of it.
    context.close().await.unwrap();
    assert_eq!(context.statistics().abandoned_jobs, 0);
    drop(waiter.await);
    assert_eq!(one.borrowed_tokens(), 0);
}

/// The program's stderr goes to a file meanwhile.
struct Stderr {
    before: std::os::fd::OwnedFd,
    file: File,
}

impl Stderr {
    fn keep() -> Self {
        let (before, file) = (rustix::io::dup(rustix::stdio::stderr()).unwrap(), unnamed_file());
        rustix::stdio::dup2_stderr(&file).unwrap();
        Self { before, file }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).unwrap();
        text
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stderr(&self.before);
    }
}

fn are_reported_once() {
    let mut stderr = Stderr::keep();
    Executor::TokioCurrentThread.block_on(async move {
        let (context, two) = (WorkerContext::builder().grace_period(Duration::ZERO).open().unwrap(), Limiter::new(2));
        let scratch = Scratch::new();
        let arrivals = Arrivals::new(&scratch, "arrivals");
        for _ in 0..2 {
            let mut endless = context.run_sync(job::arrive_and_spin, arrivals.ticket()).limiter(&two);
            drive_until(&mut endless, arrivals.next()).await;
        }
        let mut waits = context.run_sync(|n: u8| n, 1).limiter(&two);
        assert!(poll!(&mut waits).is_pending());
        // The warning does not wait for the program's own lock.
        let lock = std::io::stderr().lock();
        let said = "offproc: all 2 tokens of a limiter have been held by abandoned jobs for a second, and 1 call waits";
        while !stderr.text().contains('\n') {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(lock);
        assert!(stderr.text().starts_with(said), "{}", stderr.text());
        // Once: another second, and more of them.
        let mut more = context.run_sync(|n: u8| n, 1).limiter(&two);
        assert!(poll!(&mut more).is_pending());
        smol::Timer::after(Duration::from_millis(1500)).await;
        assert_eq!(stderr.text().lines().count(), 1, "{}", stderr.text());
        drop((waits, more));
        context.close().await.unwrap_err();
        drop(stderr);
    });
}

fn are_not_reported_if_no_call_waits_or_a_token_is_free() {
    let mut stderr = Stderr::keep();
    Executor::FuturesBlockOn.block_on(async move {
        let context = WorkerContext::builder().grace_period(Duration::ZERO).open().unwrap();
        let (none_waits, one_is_free, running) = (Limiter::new(1), Limiter::new(2), Limiter::new(1));
        let scratch = Scratch::new();
        let arrivals = Arrivals::new(&scratch, "arrivals");
        for limiter in [&none_waits, &one_is_free] {
            let mut endless = context.run_sync(job::arrive_and_spin, arrivals.ticket()).limiter(limiter);
            drive_until(&mut endless, arrivals.next()).await;
        }
        let mut endless =
            context.run_sync(job::arrive_and_spin, arrivals.ticket()).limiter(&running).kill_on_cancel(true);
        drive_until(&mut endless, arrivals.next()).await;
        // This one has a caller.
        let mut waits = context.run_sync(|n: u8| n, 1).limiter(&running);
        assert!(poll!(&mut waits).is_pending());
        smol::Timer::after(Duration::from_millis(2500)).await;
        assert_eq!(stderr.text(), "");
        drop((endless, waits));
        until("killed", || context.statistics().waiting_calls == 0).await;
        context.close().await.unwrap_err();
        stderr.file.flush().unwrap();
        drop(stderr);
    });
}

//! What happened to a call, without a match; and whether a process is a worker.

use offproc::{Error, is_worker};
use offproc_tests::{Case, job, matrix};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

matrix!(are_distinguished, say_each_cause_once, a_job_knows_that_it_is_in_a_worker);

async fn are_distinguished(case: Case) {
    let kinds = |error: Error| (error.is_timeout(), error.is_crash(), error.is_panic());
    let context = case.context();
    let late = context.run_sync(|()| -> () { job::sleep() }, ()).time_limit(Duration::from_millis(20));
    assert_eq!(kinds(late.await.unwrap_err()), (true, false, false));
    assert_eq!(kinds(context.run_sync(job::end_at_once, 1).await.unwrap_err()), (false, true, false));
    let panics = |()| -> () { panic!("in a job") };
    assert_eq!(kinds(context.run_sync(panics, ()).await.unwrap_err()), (false, false, true));
    let mut killed = context.run_sync(|()| -> () { job::sleep() }, ());
    assert!(futures::poll!(&mut killed).is_pending());
    context.kill();
    assert_eq!(kinds(killed.await.unwrap_err()), (false, false, false), "closed");
    let _ = context.close().await;
}

/// As reports print an error: what it says, and then what each of its sources says.
async fn say_each_cause_once(case: Case) {
    let context = case.context();
    let lost = case.builder().current_dir("/nonexistent/offproc").open().unwrap();
    let mut errors = vec![
        lost.run_sync(job::pid, ()).await.unwrap_err(),
        context.run_sync(|()| -> () { panic!("in a job") }, ()).await.unwrap_err(),
        context.run_sync(job::end_at_once, 1).await.unwrap_err(),
        context.run_sync(|_: Fails| (), Fails).await.unwrap_err(),
        context.run_sync(|()| Fails, ()).await.unwrap_err(),
        context.run_sync(|()| -> () { job::sleep() }, ()).time_limit(Duration::from_millis(20)).await.unwrap_err(),
    ];
    context.close().await.unwrap();
    errors.push(context.run_sync(job::pid, ()).await.unwrap_err());
    lost.close().await.unwrap();
    for error in errors {
        let chain: Vec<_> = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect();
        for (at, said) in chain.iter().enumerate() {
            let others = chain.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(!others.into_iter().any(|(_, other)| other.contains(said)), "{chain:#?}");
            assert!(!said.contains("0.00ns") && !said.ends_with('.'), "{chain:#?}");
            // The report of a crash has a line for each of its parts.
            assert!(said.starts_with("report of worker ") || !said.contains('\n'), "{chain:#?}");
        }
    }
}

#[derive(Debug)]
struct Fails;

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("version 1 is too old"))
    }
}

impl<'de> Deserialize<'de> for Fails {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

async fn a_job_knows_that_it_is_in_a_worker(case: Case) {
    let in_init = || assert!(is_worker());
    let context = case.builder().init(in_init).open().unwrap();
    assert!(!is_worker());
    assert!(context.run_sync(|()| is_worker(), ()).await.unwrap());
    assert!(!is_worker());
    context.close().await.unwrap();
}

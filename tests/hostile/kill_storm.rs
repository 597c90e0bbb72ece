//! Ten thousand workers, in three tests, are killed in the middle of their answers, and nothing of any of them is left:
//! no process, no descriptor (the check of every test), and here no mapping and no memory either. Each death is one
//! error.

use offproc::{Error, Fd, SharedBytes, WorkerContext};
use offproc_tests::{Case, Executor, WorkerKind, isolated};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};

isolated!(in_the_middle_of_an_answer, while_a_buffer_grows, while_descriptors_are_handed_over);

/// For each of the tests.
const KILLS: usize = 3_334;

/// Only in workers: there, what follows is fatal.
static FATAL: AtomicBool = AtomicBool::new(false);

/// Kills the process that serialises it, when that is a worker.
struct Killer;

impl Serialize for Killer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if FATAL.load(Ordering::Relaxed) {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .expect("a process may kill itself");
        }
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Killer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

/// So many numbers, of which the last one kills: by then the buffer has grown several times.
struct Grows(usize);

impl Serialize for Grows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut numbers = serializer.serialize_seq(Some(self.0))?;
        for _ in 1..self.0 {
            numbers.serialize_element(&u64::MAX)?;
        }
        Killer.serialize_in(&mut numbers)?;
        numbers.end()
    }
}

impl Killer {
    fn serialize_in<S: SerializeSeq>(&self, numbers: &mut S) -> Result<(), S::Error> {
        numbers.serialize_element(self)
    }
}

impl<'de> Deserialize<'de> for Grows {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        unreachable!("it never arrives")
    }
}

fn in_the_middle_of_writing((): ()) -> (String, Killer) {
    FATAL.store(true, Ordering::Relaxed);
    ("half an answer".to_owned(), Killer)
}

fn while_growing_a_buffer((): ()) -> Grows {
    FATAL.store(true, Ordering::Relaxed);
    Grows(8_000)
}

fn while_handing_over_descriptors((): ()) -> (Fd<File>, SharedBytes, Killer) {
    FATAL.store(true, Ordering::Relaxed);
    let file = File::open("/dev/null").expect("it is always there");
    (Fd(file), SharedBytes::copy_from_slice(&[1; 5000]).expect("memory"), Killer)
}

fn in_the_middle_of_an_answer() {
    storm(in_the_middle_of_writing);
}

fn while_a_buffer_grows() {
    storm(while_growing_a_buffer);
}

fn while_descriptors_are_handed_over() {
    storm(while_handing_over_descriptors);
}

fn storm<R: Serialize + for<'de> Deserialize<'de> + 'static>(job: fn(()) -> R) {
    let executor = Executor::TokioCurrentThread;
    executor.block_on(async move {
        let context = Case::new(executor, WorkerKind::ForkServer).context();
        // The first round warms up what is kept on purpose.
        kill(&context, job, KILLS / 10).await;
        let before = (mappings(), resident());
        kill(&context, job, KILLS - KILLS / 10).await;
        let after = (mappings(), resident());
        assert!(after.0 <= before.0 + 2, "mappings: {} before, {} after", before.0, after.0);
        assert!(after.1 <= before.1 + before.1 / 20 + 256, "resident KiB: {} before, {} after", before.1, after.1);
        context.close().await.expect("deaths that a call got are not reported again");
    });
}

async fn kill<R: Serialize + for<'de> Deserialize<'de>>(context: &WorkerContext, job: fn(()) -> R, kills: usize) {
    for _ in 0..kills {
        match context.run_sync(job, ()).await {
            Err(Error::BrokenWorker(_)) => {}
            Err(other) => panic!("not a broken worker: {other}"),
            Ok(_) => panic!("it has survived"),
        }
    }
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted").lines().count()
}

/// In KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has some");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

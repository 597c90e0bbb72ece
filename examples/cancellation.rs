//! A job that says "Hello" and never gets to say "world", because dropping the call kills it; and
//! the same job on a thread beside it, which nothing can stop.
//!
//! ```sh
//! cargo run --release --example cancellation
//! ```

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use offproc::run_sync;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// How long the job takes, and how long we wait for it.
const JOB: Duration = Duration::from_millis(1_000);
const PATIENCE: Duration = Duration::from_millis(500);

/// Never checks whether its result is still wanted, like most functions.
fn hello_world(place: String) {
    say(&format!("{place}: Hello, "));
    thread::sleep(JOB);
    say("world!\n");
}

/// Prints at once: what is still in a buffer when a process is killed is lost.
fn say(words: &str) {
    print!("{words}");
    io::stdout().flush().expect("stdout takes what we say");
}

#[tokio::main]
async fn main() -> Result<(), offproc::Error> {
    // `timeout` drops the call when its time is over. Before that drop returns, it has sent SIGKILL to the worker
    // (TerminateProcess on Windows).
    let call = run_sync(hello_world, "worker".to_owned()).kill_on_cancel(true);
    assert!(timeout(PATIENCE, call).await.is_err(), "the job takes longer than that");
    say("… dropped, and killed.\n");
    // Time enough for "world!", if the job still ran.
    sleep(JOB).await;

    // The same with a thread: dropping its handle and aborting its task do not stop it.
    let task = spawn_blocking(|| hello_world("thread".to_owned()));
    let abort = task.abort_handle();
    assert!(timeout(PATIENCE, task).await.is_err(), "the job takes longer than that");
    abort.abort();
    say("… dropped, and aborted, and still: ");
    sleep(JOB).await;

    // The kill cost one worker and nothing else: the next call gets another.
    let greeting = |name| format!("worker: Hello, {name}!");
    println!("{}", run_sync(greeting, "next call".to_owned()).await?);
    Ok(())
}

//! Jobs as no upload should be able to cause them. They are there for tests alone, which ask for them by `--hostile`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_bytes::ByteBuf;

use crate::app::App;
use crate::request::answered;
use crate::thumbnail::Made;

/// Its argument is the body of the request.
type Job = fn(String) -> Made;

const JOBS: [(&str, Job); 5] = [
    ("/hostile/endless", endless),
    ("/hostile/crash", crash),
    ("/hostile/panic", panic),
    ("/hostile/bomb", bomb),
    ("/hostile/read", read),
];

pub(crate) fn routes() -> Router<Arc<App>> {
    JOBS.into_iter().fold(Router::new(), |router, (path, job)| {
        let answer = move |State(app): State<Arc<App>>, body: String| async move {
            answered(&app, path, app.call(job, body)).await
        };
        router.route(path, post(answer))
    })
}

fn endless(_: String) -> Made {
    loop {
        std::hint::spin_loop();
    }
}

/// Past the end of the stack, with a last word that a page had better not take for its own.
fn crash(last_words: String) -> Made {
    eprintln!("{last_words}");
    fn dig(depth: u64) -> u64 {
        let shaft = std::hint::black_box([depth; 512]);
        if depth == 0 { 0 } else { dig(depth - 1) + shaft[7] }
    }
    Ok(ByteBuf::from(dig(u64::MAX).to_ne_bytes()))
}

fn panic(message: String) -> Made {
    panic!("{message}")
}

/// Memory, and nothing else, as fast as the kernel gives it.
fn bomb(_: String) -> Made {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 16 << 20]);
    }
}

/// Returns what is in a file, in all the time that this may take: a FIFO makes a job that ends when a test says so.
fn read(path: String) -> Made {
    Ok(ByteBuf::from(std::fs::read(path).unwrap_or_default()))
}

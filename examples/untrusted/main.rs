//! Decodes a folder of untrusted pictures in sandboxed workers.
//!
//! ```sh
//! cargo run --release --example untrusted            # on a folder that it makes: real, damaged and hostile files
//! cargo run --release --example untrusted -- DIR     # on a folder of your own
//! ```
//!
//! Each worker drops its access to files, network and processes before its first job (`sandbox.rs`), and each job has a
//! limit on time and on memory. A job that fails costs one worker, and leaves a report.

#[cfg(target_os = "linux")]
mod decoder;
#[cfg(target_os = "linux")]
mod sample;
#[cfg(target_os = "linux")]
mod sandbox;

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use decoder::Picture;
    use offproc::{Error, Resource, WorkerContext};
    use serde_bytes::ByteBuf;
    use std::path::PathBuf;
    use std::time::Duration;
    use std::{env, fs};

    let given = env::args_os().nth(1).map(PathBuf::from);
    let folder = given.clone().map_or_else(sample::write, Ok)?;
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.is_file());
    files.sort_by_key(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX), name)
    });

    let context = WorkerContext::builder()
        .sandbox(sandbox::lock_down)
        // A backtrace opens files, which a worker cannot.
        .env_remove("RUST_BACKTRACE")
        .resource_limit(Resource::CoreSize, 0)
        .open()?;
    println!("{} files in {}", files.len(), folder.display());
    println!("Workers are held by {}.\n", context.run_sync(|()| sandbox::description(), ()).await?);

    let (mut decoded, mut refused, mut stopped, mut escaped) = (0, 0, 0, 0);
    for path in &files {
        let name = path.file_name().unwrap_or_default().display();
        let call = context
            .run_sync(decoder::decode, ByteBuf::from(fs::read(path)?))
            .time_limit(Duration::from_secs(1))
            .memory_limit(256 << 20);
        match call.await {
            Ok(Ok(Picture { size: (width, height), middle, stolen: None })) => {
                decoded += 1;
                println!("{name}: {width} x {height}, {middle:?} in the middle");
            }
            Ok(Ok(Picture { stolen: Some(stolen), .. })) => {
                escaped += 1;
                println!("{name}: THE SANDBOX LET IT: {stolen}");
            }
            Ok(Err(reason)) => {
                refused += 1;
                println!("{name}: not a picture: {reason}");
            }
            Err(Error::BrokenWorker(death)) => {
                stopped += 1;
                println!("{name}: stopped");
                format!("{death:#}").lines().for_each(|line| println!("    {line}"));
            }
            Err(error) => {
                stopped += 1;
                println!("{name}: stopped: {error}");
            }
        }
    }
    println!("\n{decoded} decoded, {refused} refused by the decoder, {stopped} stopped, {escaped} escaped");
    context.close().await?;
    if given.is_none() {
        fs::remove_dir_all(&folder)?;
        // What is in that folder, and what has to become of it.
        if (decoded, refused, stopped, escaped) != (2, 3, 8, 0) {
            return Err("that is not what was to become of these files".into());
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("landlock and seccomp are Linux's");
}

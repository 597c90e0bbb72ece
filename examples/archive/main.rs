//! Packs a folder into a `.tar.gz`, with a hash of each file, on all cores.
//!
//! ```sh
//! cargo run --release --example archive                          # a sample that it writes itself
//! cargo run --release --example archive -- DIR OUT.tar.gz        # a real folder
//! ```
//!
//! A worker packs one file at a time, and streams it back through a channel while it reads: so a file of any size takes
//! a few MiB of memory, its progress is there to see, and a worker waits where the archive is written more slowly. The
//! files are in the archive in their order, whichever is packed first. Ctrl+C kills the workers and leaves no half
//! archive behind.

mod member;
mod options;
mod sample;
mod verify;
mod writer;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use indicatif::MultiProgress;
use offproc::{WorkerContext, run_sync};
use tempfile::NamedTempFile;
use walkdir::WalkDir;

use crate::options::Options;
use crate::writer::{Packed, Writer};

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(env::args_os()) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return fail(error),
    };
    // Whichever comes first; the other is dropped, with all that it has begun.
    tokio::select! {
        outcome = run(&options) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\narchive: interrupted; nothing was left behind");
            ExitCode::from(130)
        }
    }
}

fn fail(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("archive: {error}");
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (folder, archive) = match &options.paths {
        Some(paths) => paths.clone(),
        None => {
            let (folder, archive) = run_sync(sample::write, env::temp_dir().into_os_string()).await??;
            (folder.into(), archive.into())
        }
    };
    let (files, others) = files_below(&folder, &archive)?;
    println!("{} files in {}, {} workers", files.len(), folder.display(), options.jobs);
    others.iter().for_each(|other| println!("Left out: {other}"));

    let start = Instant::now();
    let packed = pack(options, &folder, &archive, &files).await?;
    report(&archive, &packed, start)?;

    // What was read when it was packed, against what comes out again.
    let hashes = packed.members.iter().map(|member| (member.name.clone(), member.hash.clone())).collect();
    println!("{}", run_sync(verify::verify, (archive.into_os_string(), hashes)).await??);
    Ok(())
}

/// Writes the archive beside where it is to be, and only at the end gives it its name.
async fn pack(options: &Options, folder: &Path, archive: &Path, files: &[PathBuf]) -> Result<Packed, Box<dyn Error>> {
    let parent = archive.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file =
        NamedTempFile::new_in(parent).map_err(|error| format!("cannot write into {}: {error}", parent.display()))?;
    let context = WorkerContext::builder().max_concurrency(options.jobs).kill_on_cancel(true).open()?;
    let bars = MultiProgress::new();
    let mut writer = Writer::new(file.as_file(), &bars, files.len());
    // Twice as many as workers: one is packed while the one before is written.
    let mut under_way = std::collections::VecDeque::new();
    for file in files {
        if under_way.len() == 2 * options.jobs {
            writer.write(under_way.pop_front().expect("as many as that")).await?;
        }
        under_way.push_back(writer::begin(&context, &bars, folder, file)?);
    }
    for member in under_way {
        writer.write(member).await?;
    }
    let packed = writer.finish()?;
    context.close().await?;
    file.persist(archive)?;
    Ok(packed)
}

/// The files and links below a folder, sorted, and what is neither.
fn files_below(folder: &Path, archive: &Path) -> Result<(Vec<PathBuf>, Vec<String>), Box<dyn Error>> {
    let metadata = fs::metadata(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    if !metadata.is_dir() {
        return Err(format!("{} is not a folder", folder.display()).into());
    }
    let (mut files, mut others) = (Vec::new(), Vec::new());
    let own = archive.canonicalize().ok();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            // That of an earlier run, which this one replaces.
            Ok(entry) if own.is_some() && entry.path().canonicalize().ok() == own => {}
            Ok(entry) if entry.file_type().is_file() || entry.file_type().is_symlink() => {
                files.push(entry.path().strip_prefix(folder)?.to_owned());
            }
            Ok(entry) => others.push(format!("{} is no file", entry.path().display())),
            Err(error) => others.push(error.to_string()),
        }
    }
    Ok((files, others))
}

fn report(archive: &Path, packed: &Packed, start: Instant) -> Result<(), Box<dyn Error>> {
    let mut manifest = archive.as_os_str().to_owned();
    manifest.push(".sha256");
    let hashes: String =
        packed.members.iter().map(|member| format!("{}  {}\n", member.hash, shown(&member.name))).collect();
    fs::write(&manifest, hashes)?;
    packed.failures.iter().for_each(|failure| println!("Left out: {failure}"));
    let (seconds, size) = (start.elapsed().as_secs_f64(), packed.members.iter().map(|member| member.size).sum::<u64>());
    println!(
        "{} files, {:.1} MiB, packed to {:.1} MiB in {seconds:.1} s: {:.0} MiB/s",
        packed.members.len(),
        mib(size),
        mib(packed.written),
        mib(size) / seconds,
    );
    println!("Archive: {}\nHashes:  {}", archive.display(), Path::new(&manifest).display());
    Ok(())
}

fn shown(name: &OsString) -> std::path::Display<'_> {
    Path::new(name).display()
}

#[allow(clippy::cast_precision_loss, reason = "it is printed with one decimal")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

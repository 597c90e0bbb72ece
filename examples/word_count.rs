//! Counts the words of texts, on all cores: a map over their paragraphs, folded in the workers.
//!
//! ```sh
//! cargo run --release --example word_count                # the documents and the code of this project
//! cargo run --release --example word_count -- FILE…
//! ```
//!
//! To count a paragraph takes microseconds, less than a call does. `map` puts as many paragraphs into a job as make
//! about a millisecond of work, and takes the next ones from the files while the workers count: at no time is a whole
//! text in memory. A worker adds up what it counts in a job, so that one table comes back, and not one a paragraph.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use offproc::map;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counts {
    texts: u64,
    words: HashMap<String, u64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let files = if files.is_empty() { documents()? } else { files };

    let start = Instant::now();
    let failures = RefCell::new(Vec::new());
    // What comes after a failure in a file is left out, and the other files are counted.
    let texts = files.iter().flat_map(|file| {
        let failed = |error| failures.borrow_mut().push(format!("{}: {error}", file.display()));
        paragraphs(file).map_while(move |text| text.map_err(failed).ok())
    });
    let Counts { texts, words } = map(|text: String| text, texts)
        // The order does not matter to a sum.
        .unordered()
        .fold_in_workers(Counts::default, count, add)
        .await
        .all()?;
    let elapsed = start.elapsed();

    let (different, all) = (words.len(), words.values().sum::<u64>());
    println!("{all} words, {different} different ones, in {texts} paragraphs of {} files", files.len());
    println!("counted in {elapsed:.2?}; the most frequent:");
    let mut most: Vec<_> = words.into_iter().collect();
    most.sort_by(|(word, count), (other, others)| others.cmp(count).then_with(|| word.cmp(other)));
    most.iter().take(10).for_each(|(word, count)| println!("{count:8} {word}"));
    let failures = failures.into_inner();
    failures.iter().for_each(|failure| eprintln!("word_count: {failure}"));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs in a worker, for each paragraph of a chunk.
fn count(mut counts: Counts, text: String) -> Counts {
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.words.entry(word.to_lowercase()).or_default() += 1;
    }
    counts.texts += 1;
    counts
}

/// Runs here, for each chunk.
fn add(mut counts: Counts, more: Counts) -> Counts {
    more.words.into_iter().for_each(|(word, count)| *counts.words.entry(word).or_default() += count);
    counts.texts += more.texts;
    counts
}

/// The parts of a file between empty lines. It is read as they are taken.
fn paragraphs(file: &Path) -> impl Iterator<Item = io::Result<String>> + use<> {
    let mut opened = Some(File::open(file).map(BufReader::new));
    std::iter::from_fn(move || {
        let mut reader = opened.take()?;
        let text = reader.as_mut().map_err(|error| io::Error::new(error.kind(), error.to_string())).and_then(next);
        if matches!(&text, Ok(text) if !text.is_empty()) {
            opened = Some(reader);
        }
        text.map(|text| (!text.is_empty()).then_some(text)).transpose()
    })
}

/// The next paragraph, which is empty at the end. What is not UTF-8 counts as no letter.
fn next(reader: &mut BufReader<File>) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        let before = text.len();
        let is_over = reader.read_until(b'\n', &mut text)? == 0;
        let is_blank = text[before..].trim_ascii().is_empty();
        if is_over || is_blank && !text.trim_ascii().is_empty() {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

/// The documents and the code of this project, as a real text that is there.
fn documents() -> Result<Vec<PathBuf>, walkdir::Error> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let is_seen =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let below = WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(move |entry| is_seen(entry) && (entry.depth() != 1 || entry.file_name() != "target"));
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md" || extension == "rs");
    below.map(|entry| Ok(entry?.into_path())).filter(|path| path.as_ref().map_or(true, is_document)).collect()
}

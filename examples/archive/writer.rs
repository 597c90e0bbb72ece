//! The archive, which members come into in their order.

use std::error::Error;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use futures_util::StreamExt;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use offproc::{JobError, WorkerContext};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::member::{self, Job, Member, Piece};

/// Files from this size on have a bar of their own.
const LARGE: u64 = 8 << 20;
/// So many pieces of a file wait to be written, here and in the channel; then its worker waits.
const AHEAD: usize = 4;

/// All that was packed.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) members: Vec<Member>,
    pub(crate) failures: Vec<String>,
    /// The size of the archive.
    pub(crate) written: u64,
}

/// A file that is being packed.
#[derive(Debug)]
pub(crate) struct UnderWay {
    name: String,
    pieces: mpsc::Receiver<Piece>,
    call: Aborted<Result<Result<Member, JobError>, offproc::Error>>,
}

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Aborted<T>(JoinHandle<T>);

impl<T> Drop for Aborted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to pack a file.
pub(crate) fn begin(
    context: &WorkerContext,
    bars: &MultiProgress,
    folder: &Path,
    name: &Path,
) -> Result<UnderWay, Box<dyn Error>> {
    let size = folder.join(name).symlink_metadata().map_or(0, |metadata| metadata.len());
    let (sender, mut receiver) = offproc::channel(AHEAD);
    let job = Job { folder: folder.into(), name: name.into(), pieces: sender };
    let call = context.run_sync(member::pack, job);
    let bar = (size >= LARGE).then(|| bars.add(large_bar(size, name)));
    let (to_writer, pieces) = mpsc::channel(AHEAD);
    let call = tokio::spawn(async move {
        // The bar moves as the worker reads, not as the archive is written.
        let receive = async move {
            while let Some(piece) = receiver.next().await {
                if let Some(bar) = &bar {
                    bar.inc(piece.read);
                }
                if to_writer.send(piece).await.is_err() {
                    break;
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        };
        tokio::join!(call, receive).0
    });
    Ok(UnderWay { name: name.display().to_string(), pieces, call: Aborted(call) })
}

#[derive(Debug)]
pub(crate) struct Writer<'a> {
    file: &'a File,
    bar: ProgressBar,
    packed: Packed,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(file: &'a File, bars: &MultiProgress, files: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left").expect("a valid template");
        let bar = bars.add(ProgressBar::new(files as u64).with_style(style));
        Self { file, bar, packed: Packed { members: Vec::new(), failures: Vec::new(), written: 0 } }
    }

    /// Writes a member as it comes. Where it fails in the middle, it takes back what it has written of it.
    pub(crate) async fn write(&mut self, mut member: UnderWay) -> io::Result<()> {
        let start = self.packed.written;
        while let Some(piece) = member.pieces.recv().await {
            self.append(&piece.packed)?;
        }
        let failure = match (&mut member.call.0).await {
            Ok(Ok(Ok(packed))) => {
                self.packed.members.push(packed);
                None
            }
            Ok(Ok(Err(error))) => Some(format!("{error:#}")),
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(failure) = failure {
            self.packed.failures.push(format!("{}: {failure}", member.name));
            self.file.set_len(start)?;
            self.file.seek(io::SeekFrom::Start(start))?;
            self.packed.written = start;
        }
        self.bar.inc(1);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<Packed> {
        self.append(&member::end()?)?;
        self.file.sync_all()?;
        self.bar.finish_and_clear();
        Ok(self.packed)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.packed.written += bytes.len() as u64;
        Ok(())
    }
}

fn large_bar(size: u64, name: &Path) -> ProgressBar {
    let style = ProgressStyle::with_template("  {bar:38} {bytes}/{total_bytes} {msg}").expect("a valid template");
    ProgressBar::new(size).with_style(style).with_message(name.display().to_string())
}

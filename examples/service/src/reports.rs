//! The last crashes, for the operators of the service. The client that sent the upload gets only the number of the
//! report.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

const KEPT: usize = 10;
/// In bytes. A report has the last lines that a job wrote to stderr: text that an attacker may choose.
const LONGEST: usize = 8 << 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct Reports(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Newest first.
    reports: VecDeque<Report>,
    /// How many there were, those that are not kept included.
    count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    /// In milliseconds since 1970.
    at: u64,
    /// In a line.
    summary: String,
    text: String,
}

impl Reports {
    /// Keeps what is known of an error; returns the number to find it by, here and in the log.
    pub(crate) fn add(&self, error: offproc::Error) -> String {
        let id = format!("{:08x}", RandomState::new().hash_one(()) as u32);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let report = Report { id: id.clone(), at, summary: String::new(), text: String::new() };
        let reports = self.clone();
        // To print an error is to look up names in the executable, which may take a good part of a second.
        tokio::task::spawn_blocking(move || {
            let (summary, text) = (cut(error.to_string()), cut(format!("{error:#}")));
            reports.keep(Report { summary, text, ..report });
        });
        id
    }

    fn keep(&self, report: Report) {
        let mut kept = self.lock();
        kept.count += 1;
        kept.reports.push_front(report);
        kept.reports.truncate(KEPT);
    }

    pub(crate) fn count(&self) -> u64 {
        self.lock().count
    }

    pub(crate) fn last(&self) -> Vec<Report> {
        self.lock().reports.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

//! Exact accounting: what callers saw against what ran.

use crate::jobs::{Crash, Deed};
use crate::ledger::Ledger;
use crate::monkey;
use crate::plan::{Fate, When};
use offproc::{BrokenWorkerError, Phase, Transport, WorkerType};
use std::fmt;
use std::sync::atomic::Ordering;

/// One call, as its caller saw it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u32,
    pub(crate) deed: Deed,
    pub(crate) fate: Fate,
    /// Where the context is an explicit one.
    #[allow(dead_code, reason = "printed")]
    pub(crate) workers: Option<(WorkerType, Transport)>,
    pub(crate) end: End,
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    Answered,
    Panicked,
    Broken(BrokenWorkerError),
    TimedOut,
    Unsendable,
    Closed,
    NotStarted,
    /// By its caller, while it waited or while a worker had it.
    Dropped {
        was_running: bool,
    },
    /// Together with the scope it was in.
    Swept,
}

/// How calls ended, counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) answered: u64,
    pub(crate) panicked: u64,
    pub(crate) broken: u64,
    pub(crate) timed_out: u64,
    pub(crate) unsendable: u64,
    pub(crate) closed: u64,
    pub(crate) not_started: u64,
    pub(crate) dropped: u64,
    /// Of these, with a job under way that was killed.
    pub(crate) cancelled: u64,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) servers: u64,
    /// Deaths that no call got, but the `close` of the context.
    pub(crate) reported_at_close: u64,
}

impl Tally {
    /// Processes that were killed, or crashed, for certain: each is counted once.
    pub(crate) fn deaths(&self) -> u64 {
        // A worker that was killed from outside during a job is among the broken ones.
        self.broken + self.timed_out + self.cancelled
    }

    pub(crate) fn monkey(&mut self, deeds: &monkey::Deeds) {
        self.kills += deeds.kills;
        self.stops += deeds.stops;
        self.servers += deeds.servers;
    }

    fn count(&mut self, record: &Record) {
        self.calls += 1;
        let kills = matches!(record.fate, Fate::Drop { kill: true, .. });
        *match record.end {
            End::Answered => &mut self.answered,
            End::Panicked => &mut self.panicked,
            End::Broken(..) => &mut self.broken,
            End::TimedOut => &mut self.timed_out,
            End::Unsendable => &mut self.unsendable,
            End::Closed => &mut self.closed,
            End::NotStarted => &mut self.not_started,
            End::Dropped { was_running } => {
                self.cancelled += u64::from(was_running && kills);
                &mut self.dropped
            }
            End::Swept => &mut self.dropped,
        } += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls: {} answered, {} panicked, {} broken, {} timed out, {} unsendable, {} closed, {} not started, {} \
             dropped ({} of them killed); from outside: {} kills, {} stops, {} of them of fork servers; \
             {} deaths reported at close",
            self.calls,
            self.answered,
            self.panicked,
            self.broken,
            self.timed_out,
            self.unsendable,
            self.closed,
            self.not_started,
            self.dropped,
            self.cancelled,
            self.kills,
            self.stops,
            self.servers,
            self.reported_at_close,
        )
    }
}

/// Checks all calls of a round, when nothing runs any more.
pub(crate) fn check(records: &[Record], deeds: &monkey::Deeds, tally: &mut Tally) {
    for record in records {
        tally.count(record);
        let line = Ledger::get().line(record.id);
        let [begun, done, pid] = [&line.begun, &line.done, &line.pid].map(|word| word.load(Ordering::SeqCst));
        let ran = Ran { begun, done, was_killed: deeds.killed.contains(&pid) };
        if let Err(wrong) = judge(record, &ran, deeds) {
            panic!("{wrong}: {record:?}, which began {begun} times and was done {done} times, last in process {pid}");
        }
    }
}

struct Ran {
    begun: u32,
    done: u32,
    /// The process it began in was killed from outside, or one of the same number.
    was_killed: bool,
}

fn judge(record: &Record, ran: &Ran, deeds: &monkey::Deeds) -> Result<(), &'static str> {
    let must = |is_so: bool, wrong| if is_so { Ok(()) } else { Err(wrong) };
    let Record { deed, fate, end, .. } = record;
    let is_endless = matches!(deed, Deed::Endless(_));
    let is_fatal = matches!(deed, Deed::Crash(_));
    let kills = matches!(fate, Fate::Drop { kill: true, .. } | Fate::Limit(_));
    must(ran.begun <= 1, "a job that ran twice")?;
    must(ran.done <= ran.begun, "a job that was done before it began")?;
    if ran.begun > ran.done {
        let explained = is_endless || is_fatal || *deed == Deed::Panic || ran.was_killed || kills;
        must(explained || matches!(end, End::Swept), "a job that did not come to its end, for no reason")?;
    }
    match end {
        End::Answered => {
            must(ran.done == 1, "an answer of a job that did not run")?;
            must(!is_endless && !is_fatal && *deed != Deed::Panic, "an answer of a job that gives none")
        }
        End::Panicked => must(*deed == Deed::Panic && ran.begun == 1, "a panic of a job that does not panic"),
        End::Broken(e) if e.phase() == Phase::Job => {
            must(is_fatal || ran.was_killed || deeds.killed.contains(&e.pid()), "a death that the test has not caused")
        }
        End::Broken(e) => {
            must(ran.begun == 0, "a job that ran in a worker that was not ready")?;
            must(
                deeds.killed.contains(&e.pid()) || deeds.servers > 0,
                "a death at the start that the test has not caused",
            )
        }
        End::TimedOut => must(matches!(fate, Fate::Limit(_)), "a time limit that was not set"),
        End::Unsendable => match deed {
            Deed::BadArgument => must(ran.begun == 0, "a job whose argument cannot be sent"),
            _ => must(*deed == Deed::BadResult && ran.done == 1, "a value that can be sent was not"),
        },
        End::Closed => must(ran.begun == 0, "a job that ran in a closed context"),
        End::NotStarted => {
            must(ran.begun == 0, "a job that ran without a worker")?;
            must(deeds.servers > 0, "a start that failed for no reason")
        }
        End::Dropped { was_running } => {
            let never = matches!(fate, Fate::Drop { when: When::Unpolled, .. }) || !was_running;
            must(!never || ran.begun == 0, "a job that ran although its call was dropped before")
        }
        End::Swept => Ok(()),
    }?;
    // What must have run, did.
    match (fate, deed, end) {
        (Fate::Await, Deed::Crash(_), End::Answered | End::Panicked | End::TimedOut) => {
            Err("a crash that was not reported")
        }
        (Fate::Await, Deed::Crash(Crash::MidAnswer), End::Broken(e)) if !ran.was_killed => {
            // Where a reset says nothing, a worker that was killed with the job on its way may not have taken it.
            let may_be_untaken = cfg!(offproc_portable) && deeds.killed.contains(&e.pid());
            must(ran.done == 1 || may_be_untaken, "a job that died of its answer, and did not run")
        }
        _ => Ok(()),
    }
}

//! The items of a map on their way: taken from the source, in chunks that run, and as results.

use super::results::{Outcomes, Results, Untouched, next_result};
use super::run::Run;
use super::sizing::{Chunks, Sizing};
use super::task::Task;
use super::token::Token;
use crate::context::{WorkerContext, default_context, in_a_fork, innermost};
use crate::limiter::default::default_limiter;
use futures_core::Stream;
use offproc_core::{Error, Transfer, is_forked};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// After so many results that are there already, the map looks after its chunks.
const LOOK: u32 = 256;
/// After so many results that were ready at once, other tasks run.
const COOP: u32 = 4096;
/// Taking items from the source for longer than this, the map sends what it has.
const PATIENCE: Duration = Duration::from_millis(1);

/// Items of a map that are next to each other.
enum Segment<A, R> {
    /// Taken from the source, and not begun.
    Waiting(Untouched<A>),
    Running(Box<Run<A, R>>),
    Done(Results),
}

/// The outcome of so many items that were folded, or of one that failed.
pub(super) struct Folding<R> {
    pub(super) folded: usize,
    /// `None`: what they were folded to is lost.
    pub(super) result: Option<Result<R, Error>>,
}

pub(super) struct Pipeline<A, R> {
    task: Arc<Task<A, R>>,
    /// `None`: of the scope around the first poll, or else the default one.
    context: Option<WorkerContext>,
    is_polled: bool,
    sizing: Sizing,
    ahead: Option<usize>,
    is_ordered: bool,
    /// In the order of the items.
    segments: VecDeque<Segment<A, R>>,
    running: usize,
    /// The results that come next.
    ready: Results,
    token: Token,
    /// How many items were taken from the source whose results were not taken.
    outstanding: usize,
    /// The source has ended, or has panicked.
    has_ended: bool,
    since_look: u32,
    since_pending: u32,
}

impl<A, R> Pipeline<A, R> {
    pub(super) fn new(task: Task<A, R>, context: Option<WorkerContext>) -> Self {
        Self {
            task: Arc::new(task),
            context,
            is_polled: false,
            sizing: Sizing::new(),
            ahead: None,
            is_ordered: true,
            segments: VecDeque::new(),
            running: 0,
            ready: Results::new(),
            token: Token::default(),
            outstanding: 0,
            has_ended: false,
            since_look: 0,
            since_pending: 0,
        }
    }

    /// The same for a fold.
    pub(super) fn into_fold<B>(self, task: Task<A, B>) -> Pipeline<A, B> {
        assert!(!self.is_polled, "a map has been polled already: fold its results before its first poll");
        let Self { context, sizing, ahead, is_ordered, .. } = self;
        Pipeline { sizing, ahead, is_ordered, ..Pipeline::new(task, context) }
    }

    pub(super) fn set_chunks(&mut self, chunks: Chunks) {
        self.sizing.set(chunks);
    }

    pub(super) fn set_ahead(&mut self, ahead: usize) {
        self.ahead = Some(ahead.max(1));
    }

    pub(super) fn set_unordered(&mut self) {
        self.is_ordered = false;
    }

    /// How many results are still to come of the items that were taken.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// True once the last result was taken.
    pub(super) fn is_over(&self) -> bool {
        self.has_ended && self.outstanding == 0
    }
}

impl<A: Transfer, R: Transfer> Pipeline<A, R> {
    /// A result that is there already, unless it is time to look after the chunks.
    #[inline]
    pub(super) fn take_ready(&mut self) -> Option<Result<R, Error>> {
        if self.since_look >= LOOK {
            return None;
        }
        let result = next_result(&mut self.ready)?;
        self.since_look += 1;
        self.outstanding -= 1;
        Some(result)
    }

    /// The next outcomes of a fold that are there.
    fn take_folded(&mut self) -> Option<Folding<R>> {
        let folding = match self.ready.front_mut()? {
            Outcomes::Chunk(answer) => match answer.next_result::<R>() {
                Some(result) => Folding { folded: 0, result: Some(result) },
                None => {
                    let folding = Folding { folded: answer.folded(), result: answer.value() };
                    self.ready.pop_front();
                    self.outstanding -= folding.folded;
                    return Some(folding);
                }
            },
            _ => Folding { folded: 0, result: next_result(&mut self.ready) },
        };
        self.outstanding -= 1;
        Some(folding)
    }

    pub(super) fn poll_next<S: Stream<Item = A>>(
        &mut self,
        mut source: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<R, Error>>> {
        if let Some(result) = self.take_ready() {
            return Poll::Ready(Some(result));
        }
        if is_forked() {
            return Poll::Ready(self.end_in_fork());
        }
        self.since_pending += std::mem::take(&mut self.since_look);
        if self.since_pending >= COOP {
            self.since_pending = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.advance(source.as_mut(), cx);
        match self.take_ready() {
            Some(result) => Poll::Ready(Some(result)),
            None if self.is_over() => Poll::Ready(None),
            None => {
                self.since_pending = 0;
                Poll::Pending
            }
        }
    }

    /// In a fork of the program, no chunk comes to an end.
    #[cold]
    fn end_in_fork(&mut self) -> Option<Result<R, Error>> {
        let was_over = self.is_over();
        std::mem::forget(std::mem::take(&mut self.segments));
        self.token.forget();
        (self.has_ended, self.outstanding) = (true, 0);
        if was_over { None } else { Some(Err(in_a_fork())) }
    }

    /// The next outcomes of a fold; `None` at its end.
    pub(super) fn poll_folded<S: Stream<Item = A>>(
        &mut self,
        mut source: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Folding<R>>> {
        if self.ready.is_empty() {
            if is_forked() {
                let result = self.end_in_fork();
                return Poll::Ready(result.map(|result| Folding { folded: 0, result: Some(result) }));
            }
            self.advance(source.as_mut(), cx);
        }
        match self.take_folded() {
            Some(folding) => Poll::Ready(Some(folding)),
            None if self.is_over() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Takes results of chunks, and begins others, as far as that is possible now.
    fn advance<S: Stream<Item = A>>(&mut self, mut source: Pin<&mut S>, cx: &mut Context<'_>) {
        let mut at = 0;
        while at < self.segments.len() {
            at += self.poll_segment(at, cx);
        }
        self.settle();
        let context = self.current_context();
        loop {
            let Some((at, size)) = self.next_waiting(source.as_mut(), cx, &context) else {
                self.token.give_up();
                break;
            };
            let permit = match self.task.check_state(&context) {
                Err(error) => Err(error),
                Ok(()) => match self.token.poll(cx, &context) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(permit)) => Ok(permit),
                    Poll::Ready(Err(_)) => {
                        self.close(at);
                        continue;
                    }
                },
            };
            let Segment::Waiting(untouched) = &mut self.segments[at] else { unreachable!("it waits") };
            let mut items = std::mem::take(&mut untouched.items);
            let size = if untouched.alone { 1 } else { size.min(items.len()) };
            let rest = Untouched { items: items.split_off(size), alone: untouched.alone };
            let run = Run::new(Arc::clone(&self.task), items, self.sizing.bounds(), context.clone(), permit);
            self.segments[at] = Segment::Running(Box::new(run));
            self.running += 1;
            self.insert(at + 1, rest);
            self.poll_segment(at, cx);
        }
        self.settle();
    }

    /// In order: the results at the front come next.
    fn settle(&mut self) {
        while self.is_ordered && matches!(self.segments.front(), Some(Segment::Done(_))) {
            if let Some(Segment::Done(mut results)) = self.segments.pop_front() {
                self.ready.append(&mut results);
            }
        }
    }

    /// The context for chunks that begin now: the default one may have been replaced.
    fn current_context(&mut self) -> WorkerContext {
        if !std::mem::replace(&mut self.is_polled, true) && self.context.is_none() {
            self.context = innermost();
        }
        self.context.clone().unwrap_or_else(default_context)
    }

    /// Returns how many segments there are in its place.
    fn poll_segment(&mut self, at: usize, cx: &mut Context<'_>) -> usize {
        let Segment::Running(run) = &mut self.segments[at] else { return 1 };
        match run.poll(cx) {
            Poll::Pending => {
                let Some((items, left)) = run.take_left() else { return 1 };
                self.sizing.fitted(items, items + left.len());
                1 + self.insert(at + 1, Untouched::new(left))
            }
            Poll::Ready(ended) => {
                self.running -= 1;
                self.sizing.ran(ended.ran, ended.took);
                let before = if self.is_ordered {
                    self.segments[at] = Segment::Done(ended.results);
                    1
                } else {
                    self.segments.remove(at);
                    let mut results = ended.results;
                    self.ready.append(&mut results);
                    0
                };
                before + self.insert(at + before, ended.rest)
            }
        }
    }

    /// Returns how many segments it has inserted.
    fn insert(&mut self, at: usize, untouched: Untouched<A>) -> usize {
        if untouched.items.is_empty() {
            return 0;
        }
        self.segments.insert(at, Segment::Waiting(untouched));
        1
    }

    /// The context is closed: items that wait get that error.
    fn close(&mut self, at: usize) {
        let Segment::Waiting(untouched) = &self.segments[at] else { return };
        let results = Results::from([Outcomes::Closed(untouched.items.len())]);
        if self.is_ordered {
            self.segments[at] = Segment::Done(results);
        } else {
            self.segments.remove(at);
            self.ready.extend(results);
        }
    }

    /// The first items that wait, taken from the source if there are none or few; and how many make a chunk.
    fn next_waiting<S: Stream<Item = A>>(
        &mut self,
        source: Pin<&mut S>,
        cx: &mut Context<'_>,
        context: &WorkerContext,
    ) -> Option<(usize, usize)> {
        // A panic of the source may have left an empty one.
        self.segments.retain(|segment| !matches!(segment, Segment::Waiting(untouched) if untouched.items.is_empty()));
        let waiting = self.segments.iter().position(|segment| matches!(segment, Segment::Waiting(_)));
        let last = self.segments.len().checked_sub(1);
        let (staged, alone) = match waiting.map(|at| &self.segments[at]) {
            Some(Segment::Waiting(untouched)) => (untouched.items.len(), untouched.alone),
            _ => (0, false),
        };
        let left = if self.has_ended { Some(0) } else { source.size_hint().1 };
        let limiter = context.inner().limiter.clone().unwrap_or_else(default_limiter);
        let tokens = limiter.total_tokens().max(1);
        let mut size = self.sizing.size(left.map(|left| left.saturating_add(staged)), tokens);
        let ahead = match self.ahead {
            Some(ahead) => {
                size = size.min(ahead.div_ceil(tokens.saturating_mul(2)));
                ahead
            }
            None => tokens.saturating_mul(2).saturating_mul(size),
        };
        // Others stand behind it, or it is full.
        if waiting.is_some() && (waiting != last || alone || staged >= size) || self.has_ended {
            return waiting.map(|at| (at, size));
        }
        let room = ahead.saturating_sub(self.outstanding);
        let wanted = size - staged;
        let is_idle = self.running == 0 && self.ready.is_empty();
        // A few at a time would make small chunks: results that are taken make room for more.
        if room >= wanted || is_idle && staged == 0 {
            if waiting.is_none() {
                self.segments.push_back(Segment::Waiting(Untouched::new(VecDeque::new())));
            }
            self.fill(source, cx, wanted.min(room));
        }
        let at = waiting.unwrap_or(self.segments.len().saturating_sub(1));
        match self.segments.get(at) {
            Some(Segment::Waiting(untouched)) if !untouched.items.is_empty() => Some((at, size)),
            Some(Segment::Waiting(_)) => {
                self.segments.pop_back();
                None
            }
            _ => None,
        }
    }

    /// Takes up to `wanted` items from the source, as long as it has them and does not take long.
    fn fill<S: Stream<Item = A>>(&mut self, mut source: Pin<&mut S>, cx: &mut Context<'_>, wanted: usize) {
        let Some(Segment::Waiting(untouched)) = self.segments.back_mut() else { return };
        let began = Instant::now();
        let (mut look, mut taken) = (1, 0);
        while taken < wanted {
            // If it panics, it is not polled again.
            self.has_ended = true;
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    untouched.items.push_back(item);
                    self.outstanding += 1;
                    taken += 1;
                }
                Poll::Ready(None) => return,
                Poll::Pending => {
                    self.has_ended = false;
                    return;
                }
            }
            self.has_ended = false;
            if taken == look {
                if began.elapsed() > PATIENCE {
                    return;
                }
                look += look.min(64);
            }
        }
    }
}

//! Lines on which a reset means nothing, and throws away what had arrived: as on TCP, and so on Windows.

use super::*;
use crate::sys::fork_registry::TrackedSocket;
use rustix::io::ioctl_fionread;
use rustix::net::sockopt::set_socket_linger;
use std::net::{TcpListener, TcpStream};

/// A line, and its two ends.
struct Line {
    parent: ParentStream,
    /// The parent's end once more.
    ours: TcpStream,
    theirs: TcpStream,
}

impl Line {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        for end in [&ours, &theirs] {
            end.set_nodelay(true).unwrap();
        }
        let socket = TrackedSocket::from(Socket::from(ours.try_clone().unwrap()));
        let mut parent = ParentStream::new(socket, Vec::new(), Vec::new(), LIMIT);
        parent.reset_means_unread = false;
        Self { parent, ours, theirs }
    }

    fn worker(&self) -> WorkerStream {
        WorkerStream::new(Socket::from(self.theirs.try_clone().unwrap()), LIMIT)
    }
}

/// Ends the worker. `is_harsh`: what it had sent and the parent has not read is lost.
fn reset(theirs: TcpStream, ours: &TcpStream, is_harsh: bool) {
    set_socket_linger(&theirs, Some(Duration::ZERO)).unwrap();
    drop(theirs);
    if is_harsh {
        throw_away(ours);
    }
}

/// The worker has hung up, and exits: that resets the line if there is something unread on it.
fn exit(theirs: TcpStream, ours: &TcpStream) {
    if ioctl_fionread(&theirs) == Ok(0) { drop(theirs) } else { reset(theirs, ours, true) }
}

/// Loses what has arrived at the parent.
fn throw_away(ours: &TcpStream) {
    let mut space = [0; 4096];
    while let Ok((1.., _)) = rustix::net::recv(ours, &mut space, RecvFlags::DONTWAIT) {}
}

const LENGTH: usize = 8;
/// More than the system takes of a job that no one reads, on either side of a connection.
const LARGE: usize = 1 << 24;

fn answer() -> Vec<u8> {
    let mut answer = frame::begin();
    answer.extend([1; LENGTH]);
    frame::finish(Kind::Done, &mut answer);
    answer
}

/// Where a worker is reset.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// It has read this much of its job.
    Read(usize),
    /// It has run its job, and sent this much of the answer.
    Answered(usize),
    /// It leaves, and has sent this much of that. `has_read`: and has read and dropped the job.
    Left { said: usize, has_read: bool },
}

fn points() -> impl Iterator<Item = Point> {
    let job = HEADER + LENGTH;
    let left = |has_read| (0..=HEADER).map(move |said| Point::Left { said, has_read });
    (0..job).map(Point::Read).chain((0..=job).map(Point::Answered)).chain([false, true].into_iter().flat_map(left))
}

#[test]
fn wherever_the_line_is_reset_no_job_runs_twice_or_is_lost() {
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    for (is_harsh, polls, point) in
        ways.into_iter().flat_map(|(is_harsh, polls)| points().map(move |point| (is_harsh, polls, point)))
    {
        let Line { mut parent, ours, mut theirs } = Line::new();
        post(&mut parent, LENGTH);
        let ran = match point {
            Point::Read(count) => {
                theirs.read_exact(&mut vec![0; count]).unwrap();
                false
            }
            Point::Answered(count) => {
                theirs.read_exact(&mut [0; HEADER + LENGTH]).unwrap();
                theirs.write_all(&answer()[..count]).unwrap();
                true
            }
            Point::Left { said, has_read } => {
                theirs.read_exact(&mut [0; HEADER + LENGTH][..if has_read { HEADER + LENGTH } else { 0 }]).unwrap();
                theirs.write_all(&frame::empty(Kind::Leaves)[..said]).unwrap();
                false
            }
        };
        reset(theirs, &ours, is_harsh);
        let event = event(&mut parent, polls);
        let runs = runs(ran, &event);
        assert!(runs.is_none_or(|runs| runs == 1), "{runs:?} times: {point:?}, {is_harsh}, {polls}: {event:?}");
        if !is_harsh {
            match point {
                Point::Answered(count) if count == HEADER + LENGTH => assert_eq!(runs, Some(1), "its answer is there"),
                Point::Left { said: HEADER, .. } => assert_eq!(runs, Some(1), "another worker runs it"),
                _ => assert_eq!(runs, None, "{point:?}: it may have run"),
            }
        }
    }
}

/// The line is reset before the job is sent, or while it is.
#[test]
fn a_job_for_a_worker_that_was_reset_runs_elsewhere() {
    for polls in [false, true] {
        let Line { mut parent, ours, theirs } = Line::new();
        reset(theirs, &ours, true);
        post(&mut parent, LENGTH);
        let before = event(&mut parent, polls);
        assert!(matches!(before, ChannelEvent::NotTaken), "{before:?}");
        let Line { mut parent, ours, theirs } = Line::new();
        post(&mut parent, LARGE);
        reset(theirs, &ours, true);
        let midway = event(&mut parent, polls);
        assert!(matches!(midway, ChannelEvent::NotTaken), "{midway:?}");
    }
}

/// A worker that leaves by itself is not one that dies: its job runs elsewhere, always.
#[test]
fn whenever_a_worker_leaves_a_line_no_job_is_lost() {
    for posted in [Leaving::NotYet, Leaving::HasSaidSo, Leaving::IsGone] {
        for length in [LENGTH, LARGE] {
            let mut line = Line::new();
            let mut worker = line.worker();
            if posted == Leaving::NotYet {
                post(&mut line.parent, length);
            }
            worker.send_decision(false).unwrap();
            if posted == Leaving::HasSaidSo {
                post(&mut line.parent, length);
            }
            // Its parent does not look, so it waits for a second.
            worker.linger();
            drop(worker);
            exit(line.theirs, &line.ours);
            if posted == Leaving::IsGone {
                post(&mut line.parent, length);
                throw_away(&line.ours);
            }
            let event = event(&mut line.parent, true);
            assert!(matches!(event, ChannelEvent::NotTaken), "{length} bytes posted when {posted:?}: {event:?}");
        }
    }
}

#[test]
fn a_worker_leaves_while_a_job_comes() {
    let (mut answered, mut elsewhere) = (0, 0);
    for round in 0..500 {
        let mut line = Line::new();
        let mut worker = line.worker();
        let (theirs, ours) = (line.theirs, &line.ours);
        // So that either may be first.
        let (patience, delay) = (Duration::from_micros(round % 50 * 4), Duration::from_micros(round % 7 * 30));
        let length = if round % 5 == 0 { 1 << 20 } else { LENGTH };
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                let (mut incoming, mut ran) = (Incoming::default(), 0);
                while let Next::Job(_) = worker.next(Some(patience), &mut incoming).unwrap() {
                    ran += 1;
                    worker.begin(LIMIT).unwrap().extend(&[1]).unwrap();
                    let _ = worker.answer(Kind::Done, HEADER + 1, &Outgoing::default()).unwrap();
                }
                worker.linger();
                drop(worker);
                exit(theirs, ours);
                ran
            });
            std::thread::sleep(delay);
            post(&mut line.parent, length);
            let event = block_on(&mut line.parent);
            line.parent.request_shutdown();
            let ran = worker.join().unwrap();
            assert_eq!(runs(ran == 1, &event), Some(1), "round {round}: {event:?}");
            answered += ran;
            elsewhere += 1 - ran;
        });
    }
    assert!(answered > 0 && elsewhere > 0, "{answered} answered, {elsewhere} run elsewhere: no race");
}

mod resets;

use super::{ParentStream, has_died_of_job};
use crate::job::attachments::{Incoming, Outgoing};
use crate::job::exchange::ResultRoom;
use crate::parent::channel::event::{Awaited, ChannelEvent};
use crate::parent::channel::parent_channel::ParentChannel;
use crate::parent::runtime::RuntimeSelector;
use crate::sys::pairs::pair;
use crate::sys::socket::Socket;
use crate::wire::frame::{self, HEADER, Kind};
use crate::worker::channel::stream::WorkerStream;
use crate::worker::channel::worker_channel::{Next, WorkerChannel};
use rustix::net::RecvFlags;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const LIMIT: usize = 1 << 24;

fn channel() -> (ParentStream, Socket) {
    let (ours, theirs) = pair().unwrap();
    let mut parent = ParentStream::new(ours, Vec::new(), Vec::new(), LIMIT);
    parent.reset_means_unread = true;
    (parent, theirs.into_owned().unwrap())
}

/// Posts a job of this many bytes.
fn post(parent: &mut ParentStream, length: usize) {
    let job = parent.encode(LIMIT, &mut |out| {
        out.extend(&vec![7; length]).unwrap();
        Ok(())
    });
    parent.submit(job.unwrap()).unwrap();
}

/// The event for the job. `polls`: whether the parent waits for the answer when the worker ends; otherwise it looks
/// after the end.
fn event(parent: &mut ParentStream, polls: bool) -> ChannelEvent {
    if !polls {
        return parent.after_exit(Awaited::Answer);
    }
    let polled =
        parent.poll_event(Awaited::Answer, &mut Context::from_waker(Waker::noop()), &RuntimeSelector::fallback());
    let Poll::Ready(event) = polled else { panic!("the connection is closed") };
    event
}

/// Waits for the event for the job.
fn block_on(parent: &mut ParentStream) -> ChannelEvent {
    let runtime = RuntimeSelector::fallback();
    futures_lite::future::block_on(std::future::poll_fn(|cx| parent.poll_event(Awaited::Answer, cx, &runtime)))
}

/// How often the job has run, or will: this worker `ran` it or not, and if the event says that it was not taken,
/// another worker runs it. `None`: the caller gets an error.
fn runs(ran: bool, event: &ChannelEvent) -> Option<u32> {
    match event {
        ChannelEvent::Answer(_) => Some(u32::from(ran)),
        ChannelEvent::NotTaken => Some(u32::from(ran) + 1),
        ChannelEvent::HungUp => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_dies_with_unread_bytes_in_the_middle_of_a_job_may_have_run_it() {
    for polls in [false, true] {
        let (mut parent, theirs) = channel();
        let mut worker = WorkerStream::new(theirs, LIMIT);
        post(&mut parent, 100);
        assert!(matches!(worker.next(None, &mut Incoming::default()).unwrap(), Next::Job(_)));
        // A frame that a busy worker does not read.
        let mut other = frame::begin();
        frame::finish(Kind::Attached, &mut other);
        parent.send_now(&other, &[]).unwrap();
        drop(worker);
        let event = event(&mut parent, polls);
        assert!(matches!(event, ChannelEvent::HungUp), "{event:?}");
    }
}

#[test]
fn a_worker_that_has_begun_to_answer_may_have_run_the_job() {
    for polls in [false, true] {
        let (mut parent, theirs) = channel();
        let mut worker = UnixStream::from(theirs);
        post(&mut parent, 100);
        worker.read_exact(&mut [0; 10]).unwrap();
        worker.write_all(&[1; 4]).unwrap();
        drop(worker);
        let event = event(&mut parent, polls);
        assert!(!matches!(event, ChannelEvent::NotTaken), "{event:?}");
    }
}

#[test]
fn wherever_a_worker_dies_its_job_runs_no_second_time() {
    const LENGTH: usize = 8;
    for polls in [false, true] {
        for read in 0..=HEADER + LENGTH {
            let (mut parent, theirs) = channel();
            let mut worker = UnixStream::from(theirs);
            post(&mut parent, LENGTH);
            worker.read_exact(&mut vec![0; read]).unwrap();
            let ran = read == HEADER + LENGTH;
            drop(worker);
            let event = event(&mut parent, polls);
            assert_eq!(runs(ran, &event), (!ran).then_some(1), "{read} bytes of the job were read: {event:?}");
        }
        let mut answer = frame::begin();
        answer.extend([1; LENGTH]);
        frame::finish(Kind::Done, &mut answer);
        for written in 0..=answer.len() {
            let (mut parent, theirs) = channel();
            let mut worker = UnixStream::from(theirs);
            post(&mut parent, LENGTH);
            worker.read_exact(&mut [0; HEADER + LENGTH]).unwrap();
            worker.write_all(&answer[..written]).unwrap();
            drop(worker);
            let event = event(&mut parent, polls);
            let is_whole = written == answer.len();
            assert_eq!(runs(true, &event), is_whole.then_some(1), "{written} bytes were answered: {event:?}");
        }
    }
}

/// The worker may have died of reading it. It did not run, so nothing is lost if the caller gets an error.
#[test]
fn a_large_job_that_was_begun_to_be_read_goes_to_no_other_worker() {
    const LENGTH: usize = 1 << 21;
    for polls in [false, true] {
        for read in [0, 1, HEADER, 1 << 20] {
            let (mut parent, theirs) = channel();
            let mut worker = UnixStream::from(theirs);
            post(&mut parent, LENGTH);
            let mut left = read;
            while left > 0 {
                let mut part = vec![0; left.min(1 << 16)];
                worker.read_exact(&mut part).unwrap();
                left -= part.len();
                let polled = parent.poll_event(
                    Awaited::Answer,
                    &mut Context::from_waker(Waker::noop()),
                    &RuntimeSelector::fallback(),
                );
                assert!(polled.is_pending(), "{polled:?}");
            }
            drop(worker);
            let event = event(&mut parent, polls);
            if read == 0 {
                assert!(matches!(event, ChannelEvent::NotTaken), "{event:?}");
            } else if read == 1 << 20 {
                assert!(matches!(event, ChannelEvent::HungUp), "{event:?}");
            }
            assert_ne!(runs(false, &event), Some(0));
        }
    }
}

/// There is no room for the rest of the job, and nothing is reset.
#[test]
fn a_job_that_a_worker_hangs_up_on_halfway_was_not_taken() {
    for polls in [false, true] {
        let (mut parent, theirs) = channel();
        let worker = UnixStream::from(theirs);
        post(&mut parent, 1 << 21);
        worker.shutdown(Shutdown::Write).unwrap();
        let event = event(&mut parent, polls);
        assert!(matches!(event, ChannelEvent::NotTaken), "{event:?}");
    }
}

/// A worker that leaves because its job goes no further has not died of that job.
#[test]
fn a_job_that_was_cut_off_was_not_taken() {
    for polls in [false, true] {
        let (mut parent, theirs) = channel();
        let mut worker = UnixStream::from(theirs);
        post(&mut parent, 1 << 21);
        worker.read_exact(&mut vec![0; 1 << 16]).unwrap();
        // Sends some more of it.
        let (cx, runtime) = (&mut Context::from_waker(Waker::noop()), RuntimeSelector::fallback());
        assert!(parent.poll_event(Awaited::Answer, cx, &runtime).is_pending());
        parent.request_stop();
        worker.read_to_end(&mut Vec::new()).unwrap();
        drop(worker);
        let event = event(&mut parent, polls);
        assert!(matches!(event, ChannelEvent::NotTaken), "{event:?}");
    }
}

/// How far a leaving worker has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    NotYet,
    HasSaidSo,
    IsGone,
}

#[test]
fn whenever_a_worker_leaves_no_job_is_lost() {
    for polls in [false, true] {
        for posted in [Leaving::NotYet, Leaving::HasSaidSo, Leaving::IsGone] {
            let (mut parent, theirs) = channel();
            let mut worker = WorkerStream::new(theirs, LIMIT);
            let mut reached = |step| {
                if step == posted {
                    post(&mut parent, 100);
                }
            };
            reached(Leaving::NotYet);
            // Like a worker that retires; one that was idle for too long has looked for a job before.
            worker.send_decision(false).unwrap();
            reached(Leaving::HasSaidSo);
            drop(worker);
            reached(Leaving::IsGone);
            let event = event(&mut parent, polls);
            assert_eq!(runs(false, &event), Some(1), "posted when {posted:?}: {event:?}");
        }
    }
}

#[test]
fn a_worker_that_leaves_reads_on_until_its_parent_hangs_up() {
    let (mut parent, theirs) = channel();
    let mut worker = WorkerStream::new(theirs, LIMIT);
    // More than fits into the socket.
    post(&mut parent, 1 << 21);
    worker.send_decision(false).unwrap();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| worker.linger());
        let event = block_on(&mut parent);
        assert!(matches!(event, ChannelEvent::NotTaken), "{event:?}");
    });
    assert!(begin.elapsed() < Duration::from_secs(1), "it has seen the parent hang up");
    drop(worker);
    let (read, _) = rustix::net::recv(parent.socket.descriptor(), &mut [0; 1], RecvFlags::DONTWAIT).unwrap();
    assert_eq!(read, 0, "ended, and not reset");
}

/// What goes with a job has died with a worker that had read it, and comes back from one that has left.
#[test]
fn a_worker_that_has_left_has_not_died_of_its_job() {
    for leaves in [false, true] {
        let (mut parent, theirs) = channel();
        let mut worker = WorkerStream::new(theirs, LIMIT);
        post(&mut parent, 100);
        let socket = parent.weak_socket();
        assert!(!has_died_of_job(&socket, true), "it lives");
        if leaves {
            worker.send_decision(false).unwrap();
        }
        assert!(matches!(worker.next(None, &mut Incoming::default()).unwrap(), Next::Job(_)));
        drop(worker);
        assert_eq!(has_died_of_job(&socket, true), !leaves);
    }
}

#[test]
fn an_idle_worker_leaves_or_takes_the_job() {
    let (mut parent, theirs) = channel();
    let mut worker = WorkerStream::new(theirs, LIMIT);
    let mut incoming = Incoming::default();
    post(&mut parent, 100);
    assert!(matches!(worker.next(Some(Duration::ZERO), &mut incoming).unwrap(), Next::Job(_)), "it was there in time");
    worker.begin(LIMIT).unwrap().extend(&[1]).unwrap();
    let _ = worker.answer(Kind::Done, HEADER + 1, &Outgoing::default()).unwrap();
    assert!(matches!(event(&mut parent, true), ChannelEvent::Answer(_)));
    assert!(matches!(worker.next(Some(Duration::ZERO), &mut incoming).unwrap(), Next::Idle));
    post(&mut parent, 100);
    assert!(matches!(event(&mut parent, true), ChannelEvent::NotTaken));
}

#[test]
fn the_items_of_a_chunk_are_withdrawn_behind_it_and_of_no_other() {
    // The second is still on its way.
    for length in [100, 1 << 21] {
        let (mut parent, theirs) = channel();
        let mut worker = WorkerStream::new(theirs, LIMIT);
        parent.begin_chunk();
        post(&mut parent, length);
        parent.withdraw_items();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                take_chunk(&mut worker);
                let begin = Instant::now();
                while !worker.is_withdrawn() {
                    assert!(begin.elapsed() < Duration::from_secs(60), "it does not come");
                }
                answer_chunk(&mut worker);
            });
            while !worker.is_finished() {
                let (cx, runtime) = (&mut Context::from_waker(Waker::noop()), RuntimeSelector::fallback());
                if parent.poll_event(Awaited::Answer, cx, &runtime).is_ready() {
                    break;
                }
            }
            worker.join().unwrap();
        });
        // Too late for the next one, and so for none.
        parent.begin_chunk();
        post(&mut parent, 100);
        take_chunk(&mut worker);
        assert!(!worker.is_withdrawn());
        answer_chunk(&mut worker);
        parent.withdraw_items();
        assert!(matches!(event(&mut parent, true), ChannelEvent::Answer(_)));
        parent.begin_chunk();
        post(&mut parent, 100);
        take_chunk(&mut worker);
        assert!(!worker.is_withdrawn());
    }
}

fn take_chunk(worker: &mut WorkerStream) {
    assert!(matches!(worker.next(None, &mut Incoming::default()).unwrap(), Next::Job(_)));
    drop(worker.begin(LIMIT).unwrap());
}

fn answer_chunk(worker: &mut WorkerStream) {
    worker.resume(HEADER, LIMIT).unwrap().extend(&[0; 8]).unwrap();
    let _ = worker.answer(Kind::Items, HEADER + 8, &Outgoing::default()).unwrap();
}

//! What cannot work with channels is a clear error.

use futures::SinkExt;
use offproc::{Error, Fd, Json, Receiver, RecvError, SendError, Sender, SharedBytes, channel, run_sync};
use offproc_tests::scratch::{Scratch, append};
use offproc_tests::{Case, isolated, job, matrix};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::sync::Arc;

matrix!(with and without memory files: an_end_that_went_with_a_dead_worker_is_not_run_again);

isolated!(
    with and without memory files:
    an_end_is_sent_once,
    an_end_travels_in_calls_alone,
    an_end_in_use_stays,
    an_end_for_the_other_is_refused,
    an_item_has_no_descriptors,
    an_item_that_does_not_travel_costs_itself_alone,
    a_channel_without_room_says_so,
);

async fn an_end_that_went_with_a_dead_worker_is_not_run_again(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("trace");
    let context = case.context();
    let (sender, mut receiver) = channel::<u64>(1);
    let dies = |(_sender, path): (Sender<u64>, String)| -> () {
        append(&path, "x");
        job::end_at_once(1)
    };
    let error = context.run_sync(dies, (sender, path.clone())).retry_crashes(3).await.unwrap_err();
    assert!(error.is_crash(), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "x");
    assert!(matches!(receiver.recv().await, Err(RecvError::Closed)));
    let _ = context.close().await;
}

/// An end that its maker keeps a handle to, which serde's feature `rc` allows as well.
struct Kept(Arc<Sender<u64>>);

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sender::deserialize(deserializer).map(|sender| Self(Arc::new(sender)))
    }
}

fn encode_error<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Encode(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn an_end_is_sent_once() {
    let (sender, receiver) = channel(1);
    let sender = Arc::new(sender);
    let twice = (Kept(Arc::clone(&sender)), Kept(Arc::clone(&sender)));
    let error = encode_error(run_sync(|_: (Kept, Kept)| (), twice).wait());
    assert!(error.contains("sent already"), "{error}");
    // That call was not sent, so the end is here.
    assert_eq!(run_sync(|kept: Kept| kept.0.send(1).wait().unwrap(), Kept(Arc::clone(&sender))).wait().unwrap(), ());
    let error = encode_error(run_sync(|_: Kept| (), Kept(Arc::clone(&sender))).wait());
    assert!(error.contains("sent already"), "{error}");
    assert!(sender.is_closed());
    assert!(matches!(sender.send(2).wait(), Err(SendError::Closed)));
    assert_eq!(receiver.wait().collect::<Vec<_>>(), [1]);
}

fn an_end_travels_in_calls_alone() {
    let (sender, receiver) = channel::<u64>(1);
    assert!(serde_json::to_string(&sender).unwrap_err().to_string().contains("argument or a result"));
    assert!(postcard::to_allocvec(&receiver).is_err());
    assert!(serde_json::from_str::<Sender<u64>>("[true, 1, 0, 1]").is_err());
    // In another format within a call.
    let error = encode_error(run_sync(|_: Json<Sender<u64>>| (), Json(sender)).wait());
    assert!(error.contains("argument or a result"), "{error}");
}

fn an_end_in_use_stays() {
    let (sender, _receiver) = channel(1);
    let mut sender = sender;
    sender.try_send(1_u64).unwrap();
    futures::executor::block_on(async {
        let sender = Arc::new(sender);
        let mut waits = sender.send(2);
        assert!(futures::poll!(&mut waits).is_pending());
        let error = encode_error(run_sync(|_: Kept| (), Kept(Arc::clone(&sender))).await);
        assert!(error.contains("waits"), "{error}");
    });
    let (full, _receiver) = channel(1);
    sender = full;
    futures::executor::block_on(async {
        sender.feed(1).await.unwrap();
        sender.feed(2).await.unwrap();
    });
    let error = encode_error(run_sync(|_: Sender<u64>| (), sender).wait());
    assert!(error.contains("flush"), "{error}");
}

/// What a type reads and writes need not be the same.
struct Wrong(Option<Sender<u64>>);

impl Serialize for Wrong {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().unwrap().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Wrong {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Receiver::<u64>::deserialize(deserializer).map(|_| Self(None))
    }
}

fn an_end_for_the_other_is_refused() {
    let (sender, mut receiver) = channel(1);
    let error = run_sync(|_: Wrong| (), Wrong(Some(sender))).wait().unwrap_err();
    assert!(matches!(error, Error::Decode(_)) && error.to_string().contains("other end"), "{error}");
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)));
}

fn an_item_has_no_descriptors() {
    let (files, _receiver) = channel(1);
    match files.send(Fd(File::open("/dev/null").unwrap())).wait() {
        Err(SendError::Encode(error)) => assert!(error.to_string().contains("send it in the argument"), "{error}"),
        other => panic!("{other:?}"),
    }
    let (ends, _receiver) = channel(1);
    let (sender, mut receiver) = channel::<u64>(1);
    match ends.try_send(sender) {
        Err(offproc::TrySendError::Encode(error)) => {
            assert!(error.to_string().contains("send it in the argument"), "{error}")
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(receiver.recv().wait(), Err(RecvError::Closed)), "the end was dropped with the item");
    let (buffers, mut receiver) = channel(1);
    buffers.send(SharedBytes::copy_from_slice(&[7; 100_000]).unwrap()).wait().unwrap();
    assert_eq!(receiver.recv().wait().unwrap(), SharedBytes::copy_from_slice(&[7; 100_000]).unwrap());
}

/// Odd ones refuse to be written, those above 100 to be read.
#[derive(Debug, PartialEq)]
struct Picky(u64);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 2 == 1 {
            return Err(serde::ser::Error::custom("it is odd"));
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            large @ 101.. => Err(serde::de::Error::custom(format_args!("{large} is large"))),
            number => Ok(Self(number)),
        }
    }
}

fn an_item_that_does_not_travel_costs_itself_alone() {
    let (sender, mut receiver) = channel(8);
    match sender.send(Picky(1)).wait() {
        Err(SendError::Encode(error)) => assert!(error.to_string().contains("it is odd"), "{error}"),
        other => panic!("{other:?}"),
    }
    for number in [2, 102, 4] {
        sender.send(Picky(number)).wait().unwrap();
    }
    drop(sender);
    assert_eq!(receiver.recv().wait().unwrap(), Picky(2));
    match receiver.recv().wait() {
        Err(RecvError::Decode(error)) => assert!(error.to_string().contains("102 is large"), "{error}"),
        other => panic!("{other:?}"),
    }
    // `recv` goes on; an iterator ends there, and says so.
    let mut items = receiver.wait();
    assert_eq!((items.next(), items.next()), (Some(Picky(4)), None));
    let (sender, receiver) = channel(8);
    sender.send(Picky(102)).wait().unwrap();
    sender.send(Picky(4)).wait().unwrap();
    let mut items = receiver.wait();
    assert_eq!((items.next(), items.next()), (None, None));
    assert!(matches!(items.end(), Some(RecvError::Decode(_))));
    assert!(matches!(sender.send(Picky(6)).wait(), Ok(())), "until it is dropped");
    drop(items);
    assert!(sender.is_closed());
}

fn a_channel_without_room_says_so() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let (sender, mut receiver) = channel::<u64>(1);
    setrlimit(Resource::Nofile, before).unwrap();
    match sender.send(1).wait() {
        Err(SendError::Encode(error)) => assert!(error.to_string().contains("could not be made"), "{error}"),
        other => panic!("{other:?}"),
    }
    match receiver.recv().wait() {
        Err(RecvError::Decode(error)) => assert!(error.to_string().contains("could not be made"), "{error}"),
        other => panic!("{other:?}"),
    }
    let error = encode_error(run_sync(|_: Sender<u64>| (), sender).wait());
    assert!(error.contains("could not be made"), "{error}");
}

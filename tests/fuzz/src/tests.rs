use super::{TARGETS, corpus};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashMap;
use std::sync::LazyLock;

/// How many mutations of its corpus each target is given; 4096 take a second or two.
const MUTATIONS: u32 = 4096;

/// One change of an input.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, u8),
    Double(Index, u8),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<Index>(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Self::Cut(at, length)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Self::Double(at, length)),
        ]
    }

    fn apply(&self, input: &mut Vec<u8>) {
        let range = |at: &Index, length: u8, input: &[u8]| {
            let start = at.index(input.len() + 1);
            start..input.len().min(start + usize::from(length))
        };
        match self {
            Self::Set(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Self::Set(..) => {}
            Self::Insert(at, bytes) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Cut(at, length) => {
                input.drain(range(at, *length, input));
            }
            Self::Double(at, length) => {
                let part = input[range(at, *length, input)].to_vec();
                input.extend(part);
            }
        }
    }
}

/// Each target's corpus. They are all read before any target runs, as some targets use up the open files for a moment.
static CORPORA: LazyLock<HashMap<&str, Vec<Vec<u8>>>> =
    LazyLock::new(|| TARGETS.map(|(name, _)| (name, corpus::read(name).expect("a kept corpus"))).into());

fn run(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let corpus = &CORPORA[name];
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    for input in corpus {
        target(input);
    }
    let strategy = (any::<Index>(), any::<Index>(), vec(Change::any(), 1..8));
    let mut runner = TestRunner::new(Config { cases: MUTATIONS, failure_persistence: None, ..Config::default() });
    let result = runner.run(&strategy, |(one, other, changes)| {
        let (one, other): (&Vec<u8>, &Vec<u8>) = (one.get(corpus), other.get(corpus));
        let mut input = [one.as_slice(), other].concat();
        for change in &changes {
            change.apply(&mut input);
        }
        target(&input);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

#[test]
fn parent_stream() {
    run("parent_stream");
}

#[test]
fn parent_shared() {
    run("parent_shared");
}

#[test]
fn worker_stream() {
    run("worker_stream");
}

#[test]
fn worker_shared() {
    run("worker_shared");
}

#[test]
fn fork_server() {
    run("fork_server");
}

#[test]
fn log_pipe() {
    run("log_pipe");
}

#[test]
fn item_ends() {
    run("item_ends");
}

#[test]
fn values() {
    run("values");
}

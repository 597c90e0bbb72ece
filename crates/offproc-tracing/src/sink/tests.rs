use super::*;
use crate::record::MOST_CAUSES;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_core::span::{Attributes, Record};
use tracing_core::{Metadata, Subscriber};

/// Counts events.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicU64>);

impl Subscriber for Counts {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn with_causes(count: usize) -> Vec<u8> {
    let head = Head {
        level: 3,
        name: "event src/a.rs:7",
        target: "a::b",
        module_path: None,
        file: None,
        line: None,
        fields: vec!["error"],
    };
    let mut record = Vec::new();
    record::append(&head, &[Value::Error(vec![""; count])], &mut record);
    record
}

#[test]
fn an_error_with_causes_without_end_is_refused() {
    // In a thread, as the stack of a test's main thread may be larger.
    let on_a_small_stack = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        let counts = Counts::default();
        let records = [with_causes(MOST_CAUSES), with_causes(65_000)];
        let mut records = records.iter().map(Vec::as_slice);
        let refused = dispatcher::with_default(&Dispatch::new(counts.clone()), || {
            CallSink { dispatch: current_dispatch().unwrap(), span: None }.deliver(&mut records)
        });
        assert_eq!((refused, counts.0.load(Ordering::SeqCst)), (1, 1));
    });
    on_a_small_stack.unwrap().join().unwrap();
}

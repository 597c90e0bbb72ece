use super::*;
use crate::settings::log_forwarding::{LogForwarder, LogForwarding, LogHooks};

#[derive(Debug)]
struct Nowhere;

impl LogSink for Nowhere {
    fn deliver(&self, records: &mut dyn Iterator<Item = &[u8]>) -> u64 {
        records.count() as u64
    }

    fn tell_dropped(&self, _: u64) -> bool {
        true
    }
}

impl LogForwarder for Nowhere {
    fn hooks(&self) -> LogHooks {
        LogHooks { before_init: || {}, after_init: || {}, level_changed: || {} }
    }

    fn level(&self) -> u8 {
        5
    }

    fn sink(&self) -> Arc<dyn LogSink> {
        Arc::new(Self)
    }
}

#[test]
fn a_job_that_is_not_handed_over_has_no_number_and_no_sink() {
    let (pipe, _theirs) = LogPipe::new(&LogForwarding::new(Arc::new(Nowhere))).unwrap();
    let mut delivery = Delivery::<()>::new(Arc::new(pipe));
    let sink: Arc<dyn LogSink> = Arc::new(Nowhere);
    delivery.set_sink(Some(Arc::clone(&sink)));
    drop(delivery.begin());
    assert_eq!((delivery.job, Arc::strong_count(&sink)), (0, 1));
    delivery.set_sink(Some(Arc::clone(&sink)));
    delivery.begin().done();
    assert_eq!((delivery.job, Arc::strong_count(&sink)), (1, 2));
}

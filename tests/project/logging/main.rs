//! The programs of docs/logging.md. They are included, as their `main` is run.

use offproc_tests::isolated;
use offproc_tests::scratch::Scratch;

isolated!(forwards, has_a_subscriber_of_its_own);

mod forwarding {
    include!("forwarding.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

mod own_subscriber {
    include!("own_subscriber.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

fn forwards() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("in.png"), "a picture").unwrap();
    std::env::set_current_dir(scratch.folder()).unwrap();
    forwarding::run();
}

fn has_a_subscriber_of_its_own() {
    own_subscriber::run();
}

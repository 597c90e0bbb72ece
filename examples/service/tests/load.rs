//! How many pictures a second the service makes small, and what becomes of them among hostile requests.
//!
//! First without hostile requests, as fast as a few clients can. Then at half of that rate, one in fifty of the
//! requests hostile: an endless job, a crash, one that takes memory without end, in turn. What is measured is worth
//! something in a release build:
//!
//! ```sh
//! cargo test --release -p offproc-example-service --test service -- --ignored --nocapture load
//! ```
//!
//! That takes some seconds and asserts that each request is answered, and by what it may be answered by; beside others
//! on the machine, times say little. With `OFFPROC_CI_LONG=1` it takes a minute more, and also asserts how many are
//! answered by what they should be, and when.

mod kind;
mod requests;
mod tally;

use std::time::Duration;

use image::ImageFormat;

use crate::pictures;
use crate::under_test::Service;
use kind::Kind;
use requests::Requests;
use tally::Tally;

/// The service's default.
const DEADLINE: Duration = Duration::from_millis(200);

/// The bars: of the good requests among hostile ones, this share is answered by 200…
const GOOD_SHARE: f64 = 0.95;
/// …and this one within the deadline.
const IN_TIME_SHARE: f64 = 0.99;
/// Of each kind of hostile ones, more than this share ends by what it is for: the memory limit ends a bomb, and not the
/// deadline.
const HOSTILE_SHARE: f64 = 0.5;

#[test]
#[ignore = "needs a release build, and the machine for itself"]
fn good_requests_are_answered_among_hostile_ones() {
    let is_long = std::env::var_os("OFFPROC_CI_LONG").is_some();
    let [calm, hostile] = if is_long { [15, 60] } else { [2, 6] }.map(Duration::from_secs);

    let service = Service::start(&["--hostile"]);
    let requests = Requests { service: &service, picture: pictures::waves(1_024, 768, ImageFormat::Jpeg) };
    // What is made once: pages of the executable, the workers' memory.
    requests.as_fast_as_possible(Duration::from_millis(500));

    let tally = requests.as_fast_as_possible(calm);
    let rate = tally.of(Kind::Good).count_of(200) as f64 / tally.elapsed.as_secs_f64();
    println!("without hostile requests: {rate:.0} pictures a second\n{tally}");
    assert!(rate > 0.0, "no picture was made small");

    let tally = requests.at_rate(rate / 2.0, hostile);
    println!("at {:.0} requests a second, one in fifty hostile, for {hostile:?}:\n{tally}", rate / 2.0);
    let ended = service.end();
    println!("after SIGTERM: {}, no process left", ended.status);
    judge(&tally, is_long);
}

fn judge(tally: &Tally, is_long: bool) {
    assert!(Kind::ALL.into_iter().all(|kind| tally.of(kind).count() > 0), "there were all kinds of requests");
    assert!(tally.strange().is_empty(), "each request has an answer of its kind: {:?}", tally.strange());

    let good = tally.of(Kind::Good);
    let (made, p99) = (good.share_of(200), good.quantile(IN_TIME_SHARE));
    println!("good ones by 200:      {:6.2} % (at least {:.0} %)", 100.0 * made, 100.0 * GOOD_SHARE);
    println!("99 % of them answered: within {p99:.0?} (less than {DEADLINE:?})");
    if is_long {
        assert!(made >= GOOD_SHARE, "too few good requests were answered by 200");
        assert!(p99 < DEADLINE, "too many good requests took longer than their deadline");
        for kind in Kind::HOSTILE {
            let share = tally.of(kind).share_of(kind.status());
            assert!(share > HOSTILE_SHARE, "{kind:?}: too few were answered by {}", kind.status());
        }
    }
}

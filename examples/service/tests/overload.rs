//! More work than there is time for.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use image::ImageFormat;

use crate::pictures::waves;
use crate::under_test::{Service, count_of};

#[test]
fn a_full_queue_refuses_at_once() {
    let service = Service::start(&["--hostile", "--deadline=3000000", "--workers=1", "--queue=1"]);
    let endless = [ask_and_hang_up(&service, "/hostile/endless"), ask_and_hang_up(&service, "/hostile/endless")];
    service.status_where(|status| status["queue"]["waiting"] == 1 && status["workers"]["running"] == 1);

    let answer = service.post("/thumbnail", &waves(64, 64, ImageFormat::Png));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
    assert_eq!(answer.json()["outcome"], "overloaded");

    // Their clients hang up, so the service kills these jobs.
    drop(endless);
    service.status_where(|status| status["queue"]["waiting"] == 0 && status["workers"]["running"] == 0);
    service.status_where(|status| count_of("hung_up", status) == Some(2));
    service.end();
}

#[test]
fn without_a_queue_nobody_waits() {
    let service = Service::start(&["--hostile", "--deadline=3000000", "--workers=1", "--queue=0"]);
    let endless = ask_and_hang_up(&service, "/hostile/endless");
    service.status_where(|status| status["workers"]["running"] == 1);
    assert_eq!(service.post("/thumbnail", b"").status, 503);
    drop(endless);
    service.status_where(|status| status["workers"]["running"] == 0);
    assert_eq!(service.post("/thumbnail", b"").status, 422);
    service.end();
}

/// One that runs when its time is over, and one that still waits.
#[test]
fn the_deadline_holds_for_all_that_a_picture_does() {
    let service = Service::start(&["--hostile", "--deadline=300", "--workers=1", "--queue=9"]);
    thread::scope(|scope| {
        let asked = [(); 2].map(|()| scope.spawn(|| service.post("/hostile/endless", b"")));
        for answer in asked.map(|asked| asked.join().expect("an answer")) {
            assert_eq!(answer.status, 504, "{}", answer.text());
            assert_eq!(answer.json()["outcome"], "deadline");
            assert!(answer.text().contains("the picture was "), "{}", answer.text());
        }
    });
    service.status_where(|status| status["workers"]["running"] == 0 && status["queue"]["waiting"] == 0);
    service.end();
}

/// A request whose client goes when this is dropped.
fn ask_and_hang_up(service: &Service, path: &str) -> TcpStream {
    let mut client = TcpStream::connect(service.address()).expect("it listens");
    let head = format!("POST {path} HTTP/1.1\r\nhost: service\r\ncontent-length: 0\r\n\r\n");
    client.write_all(head.as_bytes()).expect("it reads");
    client
}

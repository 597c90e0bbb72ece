//! What comes back for what was sent.

use image::ImageFormat;

use crate::pictures::{bomb, head, waves};
use crate::under_test::{PATIENCE, Service};

/// More than anything here takes: these tests are about other answers.
fn no_deadline() -> String {
    format!("--deadline={}", PATIENCE.as_millis())
}

#[test]
fn a_picture_gets_a_thumbnail() {
    let service = Service::start(&[&no_deadline()]);
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let answer = service.post("/thumbnail", &waves(640, 480, format));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")), "{}", answer.text());
        let thumbnail = image::load_from_memory_with_format(&answer.body, ImageFormat::Jpeg).expect("a JPEG");
        assert_eq!((thumbnail.width(), thumbnail.height()), (256, 192));
    }
    service.end();
}

#[test]
fn what_is_no_picture_is_refused() {
    let service = Service::start(&[&no_deadline()]);
    let whole = waves(64, 64, ImageFormat::Png);
    for upload in [b"Dear decoder, this is a letter.".as_slice(), &whole[..whole.len() / 2], b""] {
        let answer = service.post("/thumbnail", upload);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_eq!(answer.json()["outcome"], "bad_image");
    }
    service.end();
}

/// Each with its reason, and at no worker's cost.
#[test]
fn what_cannot_be_decoded_is_refused_by_its_head() {
    let service = Service::start(&[&no_deadline()]);
    let uploads = [
        (Vec::new(), "the upload is empty"),
        // Where other packages of the workspace have the decoder for it compiled in, too, that refuses the rest.
        (b"GIF89a and what follows".to_vec(), ""),
        (head(100_000), "Image size exceeds limit"),
        (head(i32::MAX as u32), "limit"),
    ];
    for (upload, reason) in uploads {
        let answer = service.post("/thumbnail", &upload);
        assert_eq!((answer.status, &answer.json()["outcome"]), (422, &"bad_image".into()), "{}", answer.text());
        assert!(answer.text().contains(reason), "{}, and not {reason}", answer.text());
    }
    let status = service.status_where(|_| true);
    assert_eq!((&status["workers"]["crashed"], &status["workers"]["killed"]), (&0.into(), &0.into()), "{status}");
    service.end();
}

#[test]
fn what_is_too_large_is_refused() {
    let service = Service::start(&["--upload=1"]);
    let answer = service.post("/thumbnail", &vec![0; (1 << 20) + 1]);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(answer.json()["outcome"], "too_large");
    service.end();
}

#[test]
fn what_does_not_come_to_an_end_is_refused() {
    use std::io::{Read, Write};
    let service = Service::start(&["--upload-time=1"]);
    let mut client = std::net::TcpStream::connect(service.address()).expect("it listens");
    client
        .write_all(b"POST /thumbnail HTTP/1.1\r\nhost: service\r\ncontent-length: 1000\r\n\r\nsome")
        .expect("it reads");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    service.end();
}

#[test]
fn a_bomb_costs_its_sender_one_answer() {
    let service = Service::start(&["--memory=64", &no_deadline()]);
    let bomb = bomb(8_000);
    assert!(bomb.len() < 64 << 10, "{} bytes are to become 192 MB", bomb.len());
    let answer = service.post("/thumbnail", &bomb);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.json()["outcome"], "too_much_memory");
    assert_eq!(service.post("/thumbnail", &waves(64, 64, ImageFormat::Png)).status, 200);
    service.end();
}

#[test]
fn a_crash_is_told_by_the_number_of_its_report() {
    let service = Service::start(&["--hostile", &no_deadline()]);
    let answer = service.post("/hostile/crash", b"<script>last words</script>");
    assert_eq!(answer.status, 500, "{}", answer.text());
    let (outcome, id) = (&answer.json()["outcome"], &answer.json()["report"]);
    assert_eq!((outcome, id.as_str().map(str::len)), (&"crashed".into(), Some(8)));
    assert!(!answer.text().contains("SIGSEGV"), "what there is to know is not for strangers: {}", answer.text());

    let reports = service.event_where("reports", |reports| !reports.as_array().expect("a list").is_empty());
    assert_eq!(reports[0]["id"], *id);
    let text = reports[0]["text"].as_str().expect("text");
    assert!(text.contains("SIGSEGV") && text.contains("<script>last words</script>"), "{text}");

    let panic = service.post("/hostile/panic", b"what a mess");
    assert_eq!((panic.status, &panic.json()["outcome"]), (500, &"panicked".into()), "{}", panic.text());
    let reports = service.event_where("reports", |reports| reports.as_array().is_some_and(|all| all.len() == 2));
    assert!(reports[0]["text"].as_str().is_some_and(|text| text.contains("what a mess")), "{reports}");

    assert_eq!(service.post("/thumbnail", &waves(64, 64, ImageFormat::Png)).status, 200);
    let status = service.status_where(|_| true);
    assert_eq!((&status["workers"]["crashed"], &status["workers"]["killed"]), (&1.into(), &0.into()), "{status}");
    let log = service.end().log;
    assert!(log.iter().any(|line| line.contains(id.as_str().expect("text"))), "{log:?}");
}

#[test]
fn hostile_jobs_are_for_tests_alone() {
    let service = Service::start(&[]);
    assert_eq!(service.post("/hostile/crash", b"").status, 404);
    service.end();
}

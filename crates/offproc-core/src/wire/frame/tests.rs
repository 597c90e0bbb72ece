use super::*;
use proptest::prelude::*;

const KINDS: [Kind; 6] = [Kind::Hello, Kind::Job, Kind::Welcome, Kind::Done, Kind::Failed, Kind::Ended];

/// Of the bodies that come in pieces.
const LARGEST: usize = if cfg!(miri) { 8200 } else { 20_000 };

fn packed(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = begin();
    frame.extend_from_slice(body);
    finish(kind, &mut frame);
    frame
}

/// Puts at most so many of the bytes into the decoder. How many.
fn feed(decoder: &mut Decoder, bytes: &[u8], most: usize) -> usize {
    let space = decoder.space();
    let count = space.len().min(bytes.len()).min(most);
    space[..count].copy_from_slice(&bytes[..count]);
    decoder.advance(count);
    count
}

fn error_of(header: [u8; HEADER], limit: usize) -> String {
    let mut decoder = Decoder::new(limit);
    feed(&mut decoder, &header, HEADER);
    let error = decoder.next().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    error.to_string()
}

fn header(version: u8, kind: u8, length: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    (header[0], header[1]) = (version, kind);
    header[8..].copy_from_slice(&length.to_le_bytes());
    header
}

#[test]
fn a_header_is_what_its_page_says() {
    let mut expected = vec![5, 19, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    expected.extend_from_slice(b"abc");
    assert_eq!(packed(Kind::Done, b"abc"), expected);
}

#[test]
fn every_kind_comes_back_from_its_byte() {
    for byte in 0..=u8::MAX {
        assert!(Kind::from_byte(byte).is_none_or(|kind| kind as u8 == byte));
    }
    assert!(KINDS.iter().all(|kind| Kind::from_byte(*kind as u8) == Some(*kind)));
}

#[test]
fn bad_headers_are_distinguished() {
    assert_eq!(error_of(header(1, 1, 0), 9), "the other side speaks version 1 of the protocol, this one 5");
    assert_eq!(error_of(header(VERSION, 99, 0), 9), "a frame of unknown kind 99");
    assert_eq!(error_of(header(VERSION, 1, 10), 9), "a frame of 10 bytes is above the limit of 9 bytes");
    assert!(error_of(header(VERSION, 1, u64::MAX), usize::MAX - HEADER).contains("above the limit"));
}

#[test]
fn the_limit_can_be_raised() {
    let mut decoder = Decoder::new(2);
    decoder.set_limit(3);
    feed(&mut decoder, &packed(Kind::Done, b"abc"), usize::MAX);
    assert_eq!(decoder.next().unwrap().unwrap().body(), b"abc");
}

#[test]
fn what_a_header_promises_takes_no_memory() {
    let mut decoder = Decoder::new(1 << 40);
    feed(&mut decoder, &header(VERSION, 1, 1 << 40), HEADER);
    assert!(decoder.next().unwrap().is_none());
    let mut come = HEADER;
    let enough = if cfg!(miri) { 20_000 } else { 1_000_000 };
    while come < enough {
        come += feed(&mut decoder, &[7; 1000], 1000);
        assert!(decoder.buffer.len() <= 2 * come.max(Decoder::FIRST), "{} for {come}", decoder.buffer.len());
        assert!(decoder.next().unwrap().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn frames_come_out_however_they_come_in(
        frames in proptest::collection::vec(
            (0..KINDS.len(), prop_oneof![0_usize..40, 4000_usize..4200, 8000_usize..LARGEST], any::<u8>()), 0..5),
        steps in proptest::collection::vec(prop_oneof![1_usize..4, 1_usize..6000, Just(usize::MAX)], 1..20),
    ) {
        let frames: Vec<_> = frames.into_iter().map(|(kind, size, byte)| (KINDS[kind], vec![byte; size])).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|(kind, body)| packed(*kind, body)).collect();
        let mut decoder = Decoder::new(LARGEST);
        let (mut rest, mut come, mut steps) = (&*stream, Vec::new(), steps.iter().cycle());
        while !rest.is_empty() {
            let most = if cfg!(miri) { usize::MAX } else { *steps.next().unwrap() };
            let count = feed(&mut decoder, rest, most);
            prop_assert!(count > 0, "there is always space");
            rest = &rest[count..];
            while let Some(frame) = decoder.next().unwrap() {
                come.push((frame.kind, frame.body().to_vec()));
            }
        }
        prop_assert!(!decoder.is_midway());
        prop_assert_eq!(come, frames);
    }

    #[test]
    fn a_part_of_a_frame_is_no_frame(size in 0_usize..100, missing in 1_usize..116) {
        let frame = packed(Kind::Job, &vec![1; size]);
        let most = frame.len().saturating_sub(missing);
        let mut decoder = Decoder::new(100);
        feed(&mut decoder, &frame, most);
        prop_assert!(decoder.next().unwrap().is_none());
        prop_assert_eq!(decoder.is_midway(), most > 0);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(
        start in prop_oneof![
            Just(vec![]),
            (1_u8..25, 0_u64..300).prop_map(|(kind, size)| header(VERSION, kind, size).to_vec()),
        ],
        more in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut decoder = Decoder::new(200);
        let stream = [start, more].concat();
        let mut rest = &*stream;
        'all: while !rest.is_empty() {
            rest = &rest[feed(&mut decoder, rest, usize::MAX)..];
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => prop_assert!(frame.body().len() <= 200),
                    Ok(None) => break,
                    Err(_) => break 'all,
                }
            }
        }
    }
}

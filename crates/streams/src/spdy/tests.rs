//! Two sessions that talk to each other, and one that is talked to by anybody.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::headers::{MAX_BLOCK, Packer, Unpacker};
use super::*;

/// Hands `sent` to `to` in pieces of `piece` bytes.
fn deliver(to: &mut Session, sent: &mut BytesMut, piece: usize) -> (Vec<Event>, BytesMut) {
    let (mut events, mut answers, mut input) = (Vec::new(), BytesMut::new(), BytesMut::new());
    while !sent.is_empty() {
        input.extend_from_slice(&sent.split_to(piece.min(sent.len())));
        while let Some(event) = to.receive(&mut input, &mut answers).unwrap() {
            events.push(event);
        }
    }
    (events, answers)
}

fn joined(events: &[Event], wanted: u32) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let mut over = false;
    for event in events {
        if let Event::Data { id, bytes, last } = event
            && *id == wanted
        {
            all.extend_from_slice(bytes);
            over |= last;
        }
    }
    (all, over)
}

#[test]
fn a_ping_of_the_peer_is_answered_and_an_answer_is_not() {
    let mut server = Session::new(Role::Server);
    let frame = |id| BytesMut::from(&[0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, id][..]);
    let (events, answer) = deliver(&mut server, &mut frame(1), 3);
    assert_eq!((events.as_slice(), &answer[..]), (&[][..], &frame(1)[..]));
    let (_, answer) = deliver(&mut server, &mut frame(2), 12);
    assert!(answer.is_empty());
}

#[test]
fn headers_compressed_with_the_dictionary_are_read() {
    // Two blocks of one stream, the second of which refers to the first.
    let block = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text
            .bytes()
            .map(|c| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let mut unpacker = Unpacker::new();
    for (packed, expected) in [(FIRST, "error"), (SECOND, "stdout")] {
        let headers = unpacker.unpack(&block(packed)).unwrap();
        assert_eq!(headers, Headers::new().with("streamtype", expected));
    }
}

/// `zlib.compressobj(zdict=...)` of the block, with a sync flush.
const FIRST: &str = "78bbe3c6a7c202a62346703a2b294a4dcc851625aca9a08006000000ffff";
/// The second block of the same stream.
const SECOND: &str = "c22a054ccc29f9a52500000000ffff";

#[test]
fn faults_end_the_connection_with_a_reason() {
    for (bytes, fault) in [
        (&[0x80, 2, 0, 6, 0, 0, 0, 4][..], Fault::Version(2)),
        (&[0x80, 3, 0, 1, 0, 1, 0, 1], Fault::TooLong(65_537)),
        (&[0x80, 3, 0, 3, 0, 0, 0, 1, 0], Fault::Length(3)),
        (&[0x80, 3, 0, 6, 0, 0, 0, 0], Fault::Length(6)),
    ] {
        let got = Session::new(Role::Server).receive(&mut bytes.into(), &mut BytesMut::new());
        assert_eq!(got, Err(fault));
    }
}

#[test]
fn a_stream_number_may_not_come_twice_or_from_the_wrong_side() {
    for (ids, wrong) in [(&[1, 1][..], 1), (&[3, 1], 1), (&[2], 2)] {
        let mut client = Session::new(Role::Client);
        let mut sent = BytesMut::new();
        for id in ids {
            client.open(*id, &Headers::new(), &mut sent);
        }
        let mut server = Session::new(Role::Server);
        let fault = loop {
            match server.receive(&mut sent, &mut BytesMut::new()) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no fault"),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault, Fault::StreamId(wrong));
    }
}

#[test]
fn a_thousand_streams_are_open_at_most() {
    let (mut client, mut server) = (Session::new(Role::Client), Session::new(Role::Server));
    let mut sent = BytesMut::new();
    for stream in 0..1001 {
        client.open(stream * 2 + 1, &Headers::new(), &mut sent);
    }
    let (events, mut answers) = deliver(&mut server, &mut sent, 4096);
    assert_eq!(events.len(), 1000);
    let (events, _) = deliver(&mut client, &mut answers, 4096);
    assert_eq!(events.last(), Some(&Event::Reset { id: 2001 }));
}

#[test]
fn a_small_block_that_unpacks_to_much_is_refused() {
    let packed = Packer::default().pack(&Headers::new().with("a", "x".repeat(MAX_BLOCK)));
    assert!(Unpacker::new().unpack(&packed).is_err());
    // A fixed Huffman block: one zero, then matches of 258 bytes at distance one.
    let mut bits = vec![false, true, false, false, false, true, true, false, false, false, false];
    for _ in 0..1000 {
        bits.extend([
            true, true, false, false, false, true, false, true, false, false, false, false, false,
        ]);
    }
    let bytes = bits.chunks(8).map(|bits| {
        bits.iter().enumerate().fold(0_u8, |byte, (at, bit)| byte | u8::from(*bit) << at)
    });
    let mut packed = Packer::default().pack(&Headers::new());
    packed.truncate(6);
    packed.extend(bytes);
    assert_eq!(Unpacker::new().unpack(&packed), Err(Fault::Headers("they are too long")));
}

proptest! {
    #[test]
    fn what_is_sent_arrives_however_it_is_cut(
        pieces in vec((0_u32..4, vec(any::<u8>(), 0..300), any::<bool>()), 0..40),
        cut in 1_usize..200,
    ) {
        let (mut client, mut server) = (Session::new(Role::Client), Session::new(Role::Server));
        let mut sent = BytesMut::new();
        let mut model: Vec<(Vec<u8>, bool)> = vec![Default::default(); 4];
        for stream in 0..4_u32 {
            client.open(stream * 2 + 1, &Headers::new().with("N", stream.to_string()), &mut sent);
        }
        for (stream, bytes, last) in &pieces {
            let (all, over) = &mut model[*stream as usize];
            if !*over {
                all.extend_from_slice(bytes);
                *over = *last;
            }
            client.send(stream * 2 + 1, bytes, *last, &mut sent);
        }
        let (events, mut answers) = deliver(&mut server, &mut sent, cut);
        for stream in 0..4 {
            let id = stream * 2 + 1;
            prop_assert_eq!(&joined(&events, id), &model[stream as usize]);
            let opened = Event::Opened {
                id, headers: Headers::new().with("n", stream.to_string()), last: false,
            };
            prop_assert!(events.contains(&opened));
        }
        let (events, _) = deliver(&mut client, &mut answers, cut);
        prop_assert_eq!(events.len(), 4);
    }

    #[test]
    fn headers_survive_the_way(names in vec("[a-z]{1,9}", 0..9), value in "[ -~]{0,80}") {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::new());
        let mut headers = Headers::new();
        for name in &names {
            headers = headers.with(name, value.clone());
            prop_assert_eq!(&unpacker.unpack(&packer.pack(&headers)).unwrap(), &headers);
        }
    }

    #[test]
    fn nothing_that_anybody_sends_does_harm(bytes in vec(any::<u8>(), 0..2000), kind in 0_u8..12) {
        let mut session = Session::new(Role::Server);
        let mut input = BytesMut::from(&[0x80, 3, 0, kind, 0, 0][..]);
        input.extend_from_slice(&bytes);
        let mut out = BytesMut::new();
        while let Ok(Some(_)) = session.receive(&mut input, &mut out) {}
        prop_assert!(out.len() < 1 << 20);
    }

    #[test]
    fn no_compressed_block_does_harm(bytes in vec(any::<u8>(), 0..2000)) {
        let mut packed = Packer::default().pack(&Headers::new());
        packed.truncate(6);
        packed.extend_from_slice(&bytes);
        // Whether it can be read does not matter, only that the attempt ends.
        let _outcome = Unpacker::new().unpack(&packed);
        let _outcome = Unpacker::new().unpack(&Bytes::from(bytes));
    }
}

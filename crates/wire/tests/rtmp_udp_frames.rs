//! RTMP-UDP's bytes: one table a type drives decoding, encoding, cuts and the fuzz corpora.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use thalweg_testkit::{corpus, cut};
use thalweg_wire::Error;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp_udp::control::{
    ClockResponse, Message, Preamble, Reader, Report, ServerStat, clock_request,
    decode_clock_request, types,
};
use thalweg_wire::rtmp_udp::media::{BURST, Flags, Header, StreamReader, burst_head};
use thalweg_wire::rtmp_udp::{Close, Reset};

#[test]
fn preambles() {
    for (name, version, bytes) in [
        ("ours", 1, *b"RTMU\x01\0\0\0"),
        ("of a version to come", 2, *b"RTMU\x02\0\0\0"),
        ("of the last version", 255, *b"RTMU\xff\0\0\0"),
    ] {
        assert_eq!(Preamble { version }.encode(), bytes, "{name}");
        assert_eq!(Preamble::decode(bytes), Ok(Preamble { version }), "{name}");
        corpus::holds("rtmp_udp_control", &format!("preamble {name}"), &bytes);
    }
    assert_eq!(Preamble::OURS.version, 1);
    let with_flags = Preamble::decode(*b"RTMU\x01\xff\xff\xff");
    assert_eq!(with_flags, Ok(Preamble::OURS), "flags are for versions to come");
}

/// Every message of the control stream, and its bytes.
fn control_messages() -> Vec<(&'static str, Message, Vec<u8>)> {
    let report = Report {
        video_seq_max: 0x0102_0304,
        video_received: 900,
        video_lost: 2,
        audio_received: 1290,
        audio_lost: 1,
        kbit_per_s: 1900,
        buffer_ms: 80,
        delay_ms: 210,
        decode_queue: 3,
        freezes: 1,
    };
    let response = ClockResponse {
        id: 7,
        asked_us: 1,
        came_us: 0x0006_0000_0000_0000,
        answered_us: 0x0006_0000_0000_0064,
    };
    let stat = ServerStat {
        srtt_us: 51_000,
        min_rtt_us: 50_000,
        cwnd: 96_000,
        packets_lost: 5,
        frames_dropped: 4,
        viewers: 10,
        gated: true,
    };
    vec![
        (
            "command",
            Message::new(types::COMMAND_AMF0, b"\x02\0\x04live".to_vec()),
            b"\x14\0\0\0\0\0\0\0\0\0\0\x07\x02\0\x04live".to_vec(),
        ),
        (
            "pictures' header",
            Message::config(Kind::Video, 0, 1, 40, vec![0x17, 0, 0, 0, 0]),
            b"\x09\x02\0\x01\0\0\0\x28\0\0\0\x05\x17\0\0\0\0".to_vec(),
        ),
        (
            "sound's header of many tracks at the end of time",
            Message::config(Kind::Audio, 255, 255, u32::MAX, vec![0xaf, 0]),
            b"\x08\x02\xff\xff\xff\xff\xff\xff\0\0\0\x02\xaf\0".to_vec(),
        ),
        (
            "metadata",
            Message::config(Kind::Data, 0, 3, 0, vec![2, 0, 0]),
            b"\x12\x02\0\x03\0\0\0\0\0\0\0\x03\x02\0\0".to_vec(),
        ),
        (
            "report",
            report.to_message(),
            b"\xf0\0\0\0\0\0\0\0\0\0\0\x20\x01\x02\x03\x04\0\0\x03\x84\0\0\0\x02\
              \0\0\x05\x0a\0\0\0\x01\0\0\x07\x6c\0\x50\0\xd2\0\x03\0\x01"
                .to_vec(),
        ),
        (
            "key request",
            Message::new(types::KEY_REQUEST, vec![]),
            b"\xf1\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        ),
        (
            "clock request",
            clock_request(7, 0x0102),
            b"\xf2\0\0\0\0\0\0\0\0\0\0\x0c\0\0\0\x07\0\0\0\0\0\0\x01\x02".to_vec(),
        ),
        (
            "clock response",
            response.to_message(),
            b"\xf3\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0\x07\0\0\0\0\0\0\0\x01\
              \0\x06\0\0\0\0\0\0\0\x06\0\0\0\0\0\x64"
                .to_vec(),
        ),
        (
            "server stat",
            stat.to_message(),
            b"\xf4\0\0\0\0\0\0\0\0\0\0\x18\0\0\xc7\x38\0\0\xc3\x50\0\x01\x77\0\
              \0\0\0\x05\0\0\0\x04\0\x0a\0\x01"
                .to_vec(),
        ),
        (
            "of a type to come",
            Message::new(0xfe, vec![1, 2]),
            b"\xfe\0\0\0\0\0\0\0\0\0\0\x02\x01\x02".to_vec(),
        ),
    ]
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Everything a reader makes of a control stream.
fn read_control(parts: &[&[u8]]) -> (Vec<Message>, Option<Error>) {
    let (mut reader, mut messages) = (Reader::default(), Vec::new());
    for mut part in parts.iter().copied() {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(e) => return (messages, Some(e)),
            }
        }
    }
    (messages, None)
}

#[test]
fn control_messages_are_read_as_they_are_written() {
    for (name, message, bytes) in control_messages() {
        assert_eq!(encoded(&message), bytes, "{name}, written");
        assert_eq!(read_control(&[&bytes]), (vec![message], None), "{name}, read");
        for n in 0..bytes.len() {
            assert_eq!(read_control(&[&bytes[..n]]).0, [], "{name}, cut after {n}");
        }
        let stream = [&Preamble::OURS.encode()[..], &bytes].concat();
        corpus::holds("rtmp_udp_control", name, &stream);
    }
}

#[test]
fn a_control_stream_cut_anywhere() {
    let stream: Vec<u8> = control_messages().into_iter().flat_map(|(.., bytes)| bytes).collect();
    let messages: Vec<Message> = control_messages().into_iter().map(|(_, m, _)| m).collect();
    assert_eq!(read_control(&[&stream]).0, messages);
    cut::every_way(&stream, read_control);
}

#[test]
fn the_longest_body_is_read_and_one_byte_more_is_not() {
    let longest = Message::new(types::COMMAND_AMF0, vec![5; 65_536]);
    assert_eq!(read_control(&[&encoded(&longest)]), (vec![longest], None));
    let head = b"\x14\0\0\0\0\0\0\0\0\x01\0\x01";
    let want = Misbehaved::ControlTooLong { len: 65_537, max: 65_536 };
    assert_eq!(read_control(&[head]), (vec![], Some(want.into())));
}

#[test]
fn what_feedback_says_is_read_back() {
    for (name, message, _) in control_messages() {
        let body = &message.body;
        let again = match message.message_type {
            types::REPORT => Report::decode(body).map(Report::to_message),
            types::CLOCK_REQUEST => {
                decode_clock_request(body).map(|(id, at)| clock_request(id, at))
            }
            types::CLOCK_RESPONSE => ClockResponse::decode(body).map(ClockResponse::to_message),
            types::SERVER_STAT => ServerStat::decode(body).map(ServerStat::to_message),
            _ => continue,
        };
        assert_eq!(again.as_ref(), Some(&message), "{name}");
    }
}

#[test]
fn feedback_that_is_longer_than_ours_is_read_and_shorter_is_not() {
    let bodies = control_messages();
    let body = |name| &bodies.iter().find(|(n, ..)| *n == name).unwrap().1.body;
    for (name, decodes) in [
        ("report", (|b| Report::decode(b).is_some()) as fn(&[u8]) -> bool),
        ("clock request", |b| decode_clock_request(b).is_some()),
        ("clock response", |b| ClockResponse::decode(b).is_some()),
        ("server stat", |b| ServerStat::decode(b).is_some()),
    ] {
        let body = body(name);
        assert!(decodes(&[body, &[0xff; 9][..]].concat()), "{name}, longer");
        assert!((0..body.len()).all(|n| !decodes(&body[..n])), "{name}, cut");
    }
}

/// Every kind of header, and its bytes.
fn media_headers() -> Vec<(&'static str, Header, [u8; Header::BYTES])> {
    let sound = Header {
        kind: Kind::Audio,
        flags: Flags::default(),
        track: 0,
        cfg: 1,
        seq: 2,
        gop: 0,
        timestamp: 32,
        ingest_us: None,
    };
    let key = Header {
        kind: Kind::Video,
        flags: Flags { key: true, start: true, ..Flags::default() },
        seq: 1,
        gop: 1,
        timestamp: 0,
        ..sound
    };
    let picture = Header { flags: Flags::default(), seq: 5, gop: 1, timestamp: 160, ..key };
    let with = |flags| Header { flags, ..picture };
    let none = Flags::default();
    vec![
        ("sound", sound, *b"\x08\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\0"),
        ("key frame", key, *b"\x09\x09\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("picture", picture, *b"\x09\0\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0"),
        (
            "disposable",
            with(Flags { disposable: true, ..none }),
            *b"\x09\x04\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "to catch up",
            with(Flags { catchup: true, ..none }),
            *b"\x09\x10\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "after one disposable",
            with(Flags { after_disposable: 1, ..none }),
            *b"\x09\x40\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "after two disposable",
            with(Flags { after_disposable: 2, ..none }),
            *b"\x09\x80\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "disposable after three",
            with(Flags { disposable: true, after_disposable: 3, ..none }),
            *b"\x09\xc4\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "stamped",
            Header { ingest_us: Some(0x0006_4000_0000_0001), ..picture },
            *b"\x09\x20\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\xa0\0\x06\x40\0\0\0\0\x01",
        ),
        (
            "everything at the end of numbers",
            Header {
                flags: Flags {
                    key: true,
                    disposable: true,
                    start: true,
                    catchup: true,
                    after_disposable: 3,
                },
                track: 255,
                cfg: 255,
                seq: u32::MAX,
                gop: u32::MAX,
                timestamp: u32::MAX,
                ingest_us: Some(u64::MAX),
                ..key
            },
            *b"\x09\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
               \xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        (
            "picture after the numbers wrapped",
            Header { seq: 1, gop: u32::MAX, ..picture },
            *b"\x09\0\0\x01\0\0\0\x01\xff\xff\xff\xff\0\0\0\xa0\0\0\0\0\0\0\0\0",
        ),
        (
            "data",
            Header { kind: Kind::Data, cfg: 0, ..sound },
            *b"\x12\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\0",
        ),
    ]
}

#[test]
fn media_headers_are_read_as_they_are_written() {
    for (name, header, bytes) in media_headers() {
        assert_eq!(header.encode(), bytes, "{name}, written");
        assert_eq!(Header::decode(&bytes), Ok(header), "{name}, read");
        corpus::holds("rtmp_udp_media", name, &single(&header, b"body"));
    }
}

#[test]
fn bits_that_nobody_has_given_a_meaning_are_ignored() {
    let (_, picture, mut bytes) = media_headers().remove(2);
    bytes[1] |= 1 << 1;
    assert_eq!(Header::decode(&bytes), Ok(picture));
    bytes[16..].copy_from_slice(&[7; 8]);
    assert_eq!(Header::decode(&bytes), Ok(picture), "an ingest time that is not valid");
}

#[test]
fn close_and_reset_codes_are_those_of_the_specification() {
    for (code, name) in [
        (0, "none"),
        (1, "protocol"),
        (2, "version"),
        (3, "auth"),
        (4, "not-found"),
        (5, "limit"),
        (6, "timeout"),
        (7, "going-away"),
        (8, "internal"),
        (9, "too-slow"),
    ] {
        assert_eq!(Close::from_code(code).map(Close::name), Some(name));
    }
    assert_eq!(Close::from_code(10), None);
    let resets = Reset::ALL.map(|r| (r as u32, r.index(), r.name()));
    let want =
        [(0x10, 0, "late"), (0x11, 1, "superseded"), (0x12, 2, "gated"), (0x13, 3, "track-off")];
    assert_eq!(resets, want);
}

/// A stream of one message.
fn single(header: &Header, body: &[u8]) -> Vec<u8> {
    [&header.encode()[..], body].concat()
}

/// A stream of several.
fn burst(messages: &[(Header, &[u8])]) -> Vec<u8> {
    let mut out = vec![BURST];
    for (header, body) in messages {
        out.extend_from_slice(&burst_head(header, body.len()));
        out.extend_from_slice(body);
    }
    out
}

/// Everything a reader makes of a stream of media that ends after these parts.
fn read_media(parts: &[&[u8]]) -> (Vec<(Header, Bytes)>, Option<Error>) {
    let (mut reader, mut messages) = (StreamReader::new(100), Vec::new());
    for mut part in parts.iter().copied() {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(e) => return (messages, Some(e)),
            }
        }
        assert!(part.is_empty(), "nothing is left for later");
    }
    match reader.finish() {
        Ok(last) => {
            messages.extend(last);
            (messages, None)
        }
        Err(e) => (messages, Some(e)),
    }
}

#[test]
fn a_stream_of_one_message_cut_anywhere() {
    for (name, header, _) in media_headers() {
        for body in [&b""[..], b"x", &[0x7f; 100]] {
            let stream = single(&header, body);
            let want = (vec![(header, Bytes::copy_from_slice(body))], None);
            assert_eq!(read_media(&[&stream]), want, "{name}");
            cut::every_way(&stream, read_media);
        }
    }
}

#[test]
fn a_burst_cut_anywhere() {
    let bodies = [&b"key"[..], b"", &[0x7f; 100], b"\0"];
    let headers: Vec<Header> = media_headers().into_iter().map(|(_, h, _)| h).collect();
    let messages: Vec<_> = headers.into_iter().zip(bodies.into_iter().cycle()).collect();
    let stream = burst(&messages);
    assert_eq!(stream[..5], *b"\x7f\0\0\0\x1b");
    let want = messages.iter().map(|(h, b)| (*h, Bytes::copy_from_slice(b))).collect();
    assert_eq!(read_media(&[&stream]), (want, None));
    cut::every_way(&stream, read_media);
    corpus::holds("rtmp_udp_media", "burst", &stream);
}

#[test]
fn a_burst_may_be_empty() {
    assert_eq!(read_media(&[&[BURST]]), (vec![], None));
    corpus::holds("rtmp_udp_media", "empty burst", &[BURST]);
}

#[test]
fn the_header_of_a_message_is_known_before_its_body_has_come() {
    let (_, header, bytes) = media_headers().remove(1);
    let mut reader = StreamReader::new(100);
    for byte in bytes {
        assert_eq!(reader.header(), None);
        assert_eq!(reader.read(&mut &[byte][..]), Ok(None));
    }
    assert_eq!(reader.header(), Some(header));
    let mut burst = StreamReader::new(100);
    burst.read(&mut &[&[BURST][..], &burst_head(&header, 50)].concat()[..]).unwrap();
    assert_eq!(burst.header(), None, "a burst has many");
}

#[test]
fn a_stream_that_ends_in_the_middle_is_refused_wherever_that_is() {
    let cut = Some(Error::from(Misbehaved::MediaCut));
    let (_, header, _) = media_headers().remove(1);
    let stream = single(&header, b"");
    (0..Header::BYTES).for_each(|n| assert_eq!(read_media(&[&stream[..n]]).1, cut, "after {n}"));
    let stream = burst(&[(header, b"body")]);
    (2..stream.len()).for_each(|n| assert_eq!(read_media(&[&stream[..n]]).1, cut, "after {n}"));
    corpus::holds("rtmp_udp_media", "cut burst", &stream[..20]);
    corpus::holds("rtmp_udp_media", "cut header", &header.encode()[..20]);
}

/// What a receiver's fuzzer starts from: 'R' is reset, 'C' is configuration (`rtmp_udp::fuzz`).
#[test]
fn runs_for_the_receiver_are_in_the_corpus() {
    let headers = media_headers();
    let of = |index: usize, cfg, seq, gop| Header { cfg, seq, gop, ..headers[index].1 };
    let (sound, key, picture, disposable, after_two) = (0, 1, 2, 3, 6);
    for (name, run) in [
        ("in order", vec![(of(key, 0, 1, 1), "k"), (of(picture, 0, 2, 1), "p")]),
        ("out of order", vec![(of(picture, 0, 2, 1), "p"), (of(key, 0, 1, 1), "k")]),
        ("a hole", vec![(of(sound, 0, 1, 0), "s"), (of(sound, 0, 3, 0), "s")]),
        (
            "a key frame after a hole",
            vec![(of(key, 0, 1, 1), "k"), (of(picture, 0, 3, 1), "p"), (of(key, 0, 9, 9), "k")],
        ),
        (
            "resets",
            vec![
                (of(key, 0, 1, 1), "k"),
                (of(disposable, 0, 2, 1), "R"),
                (of(picture, 0, 3, 1), "R"),
                (of(picture, 0, 6, 5), "p"),
                (of(key, 0, 5, 5), "k"),
            ],
        ),
        ("disposable ones missing", vec![(of(key, 0, 1, 1), "k"), (of(after_two, 0, 4, 1), "p")]),
        (
            "configuration overtaken",
            vec![
                (of(key, 1, 1, 1), "k"),
                (of(key, 1, 1, 1), "C"),
                (of(key, 2, 2, 2), "C"),
                (of(key, 2, 2, 2), "k"),
                (of(key, 3, 3, 3), "k"),
            ],
        ),
    ] {
        let run: Vec<(Header, &[u8])> = run.into_iter().map(|(h, b)| (h, b.as_bytes())).collect();
        corpus::holds("rtmp_udp_media", &format!("run {name}"), &burst(&run));
    }
}

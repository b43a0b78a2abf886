//! One test for each lie an RTMP-UDP peer can tell. The name is the lie.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_testkit::corpus;
use thalweg_testkit::udp_pair::SESSION;
use thalweg_wire::amf0::Value;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::command::Command;
use thalweg_wire::rtmp_udp::client::{self, Wishes};
use thalweg_wire::rtmp_udp::control::{Message, Preamble, Report, types};
use thalweg_wire::rtmp_udp::media::{BURST, Flags, Header, StreamReader, burst_head};
use thalweg_wire::rtmp_udp::receiver::{self, Receiver};
use thalweg_wire::rtmp_udp::server::{Event, Output, Session};
use thalweg_wire::{Error, amf0};

/// A server that accepts whatever is asked, and what it was sent.
struct Server {
    session: Session,
    now: Instant,
    /// What a fuzzer may start from.
    sent: Vec<u8>,
    events: Vec<Event>,
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        let session = Session::new(now);
        let mut server = Server { session, now, sent: vec![], events: vec![] };
        server.feed(&Preamble::OURS.encode()).unwrap();
        server
    }

    fn connected() -> Self {
        let mut server = Server::new();
        let app = Value::object([("app", Value::string("live"))]);
        server.command("connect", vec![app]).unwrap();
        server
    }

    fn playing() -> Self {
        let mut server = Server::connected();
        server.command("play", vec![Value::Null, Value::string("room")]).unwrap();
        server
    }

    fn publishing() -> Self {
        let mut server = Server::connected();
        server.command("publish", vec![Value::Null, Value::string("room")]).unwrap();
        server
    }

    /// Feeds bytes, accepts every question, and answers what was wrong.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sent.extend_from_slice(bytes);
        let mut result = self.session.handle_bytes(self.now, bytes);
        loop {
            match self.session.poll_output() {
                Output::Transmit(_) => {}
                Output::Timeout(_) => return result,
                Output::Event(event) => {
                    if matches!(event, Event::Connect(_) | Event::Publish(_) | Event::Play(_)) {
                        result = result.and(self.session.accept(SESSION));
                    }
                    self.events.push(event);
                }
            }
        }
    }

    fn say(&mut self, message: &Message) -> Result<(), Error> {
        self.feed(&encoded(message))
    }

    fn command(&mut self, name: &str, values: Vec<Value>) -> Result<(), Error> {
        self.say(&command(name, values))
    }

    /// Keeps the lie as a seed for the fuzzer.
    fn keep(&self, name: &str) {
        corpus::holds("rtmp_udp_session", name, &[&[0x20], &self.sent[..]].concat());
    }
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn command(name: &str, values: Vec<Value>) -> Message {
    let command = Command { name: name.to_owned(), transaction: 1.0, values };
    Message::new(types::COMMAND_AMF0, command.encode())
}

#[test]
fn speaks_something_else() {
    for bytes in [*b"GET / HT", *b"RTMP\x01\0\0\0", *b"\x03RTMU\x01\0\0", [0; 8]] {
        let mut session = Session::new(Instant::now());
        let result = session.handle_bytes(Instant::now(), &bytes);
        assert_eq!(result, Err(Misbehaved::NotRtmpUdp.into()));
        corpus::holds("rtmp_udp_session", &format!("says {:x}", bytes[0]), &{
            [&[0x20], &bytes[..]].concat()
        });
    }
}

#[test]
fn knows_no_version_at_all() {
    let mut session = Session::new(Instant::now());
    let result = session.handle_bytes(Instant::now(), b"RTMU\0\0\0\0");
    assert_eq!(result, Err(Misbehaved::NotRtmpUdp.into()));
}

#[test]
fn a_server_answers_with_a_version_nobody_offered() {
    let address = Address::from_url("rtmp://host/live/room").unwrap();
    let mut client =
        client::Session::new(Purpose::Play, &address, &Wishes::default(), Instant::now());
    let result = client.handle_bytes(b"RTMU\x02\0\0\0");
    assert_eq!(result, Err(Misbehaved::NoCommonVersion(2).into()));
}

#[test]
fn announces_a_long_body() {
    for len in [65_537u32, u32::MAX] {
        let mut server = Server::connected();
        let head = [&[20, 0, 0, 0, 0, 0, 0, 0][..], &len.to_be_bytes()].concat();
        let want = Misbehaved::ControlTooLong { len: len as usize, max: 65_536 };
        assert_eq!(server.feed(&head[..11]), Ok(()));
        assert_eq!(server.feed(&head[11..]), Err(want.into()), "at the header");
        assert!(server.session.held_bytes() < 64, "and no body is kept");
        server.keep(&format!("announces {len}"));
    }
}

#[test]
fn connects_twice() {
    let mut server = Server::connected();
    let result = server.command("connect", vec![Value::Null]);
    assert_eq!(result, Err(Misbehaved::ConnectTwice.into()));
    server.keep("connects twice");
}

#[test]
fn plays_before_it_connects() {
    for name in ["play", "publish", "createStream", "deleteStream", "anything"] {
        let mut server = Server::new();
        let result = server.command(name, vec![Value::Null, Value::string("room")]);
        assert_eq!(result, Err(Misbehaved::BeforeConnect("another command").into()), "{name}");
    }
}

#[test]
fn plays_or_publishes_a_second_time() {
    for (make, publishes) in
        [(Server::playing as fn() -> Server, false), (Server::publishing, true)]
    {
        for name in ["play", "publish"] {
            let mut server = make();
            let result = server.command(name, vec![Value::Null, Value::string("other")]);
            assert_eq!(result, Err(Misbehaved::TooManyStreams(1).into()), "{name}");
            server.keep(&format!("{name} again {publishes}"));
        }
    }
}

#[test]
fn sends_configuration_before_publish_is_accepted() {
    let config = Message::config(Kind::Video, 0, 1, 0, vec![0x17, 0, 0, 0, 0]);
    for make in [Server::new, Server::connected, Server::playing] {
        let mut server = make();
        assert_eq!(server.say(&config), Err(Misbehaved::MediaBeforePublish.into()));
        server.keep(&format!("early configuration after {}", server.events.len()));
    }
}

#[test]
fn sends_configuration_without_a_generation() {
    let mut server = Server::publishing();
    let config = Message::config(Kind::Audio, 0, 0, 0, vec![0xaf, 0]);
    assert_eq!(server.say(&config), Err(Misbehaved::MediaHeader.into()));
    server.keep("cfg 0");
}

#[test]
fn sends_media_on_the_control_stream() {
    let mut server = Server::publishing();
    let media = Message { config: false, ..Message::config(Kind::Audio, 0, 1, 0, vec![0xaf, 1]) };
    assert_eq!(server.say(&media), Err(Misbehaved::MediaHeader.into()));
    server.keep("media as control");
}

#[test]
fn floods_the_control_stream() {
    let mut server = Server::playing();
    let request = encoded(&Message::new(types::KEY_REQUEST, vec![]));
    server.now += Duration::from_secs(1);
    server.feed(&request.repeat(200)).unwrap();
    assert_eq!(server.feed(&request), Err(Misbehaved::ControlFlood(200).into()));
    server.keep("flood");
}

#[test]
fn what_was_held_while_a_question_was_open_is_no_flood() {
    let mut server = Server::connected();
    let play = Command::new("play", 0.0, [Value::string("room")]);
    let mut bytes = Vec::new();
    Message::new(types::COMMAND_AMF0, play.encode()).encode(&mut bytes);
    server.session.handle_bytes(server.now, &bytes).unwrap();
    // A viewer that waits for its stream for 5 minutes, and reports all the while, in pieces.
    let mut report = Vec::new();
    Report::default().to_message().encode(&mut report);
    for _ in 0..600 {
        server.now += Duration::from_millis(500);
        for piece in report.chunks(20) {
            server.session.handle_bytes(server.now, piece).unwrap();
        }
    }
    assert!(server.session.held_bytes() < 64 << 10);
    while !matches!(server.session.poll_output(), Output::Event(Event::Play(_))) {}
    server.session.accept(SESSION).unwrap();
    let outputs = std::iter::from_fn(|| match server.session.poll_output() {
        Output::Timeout(_) => None,
        output => Some(output),
    });
    let reports = outputs.filter(|o| matches!(o, Output::Event(Event::Report(_)))).count();
    assert_eq!(reports, 600);
    // What comes from now on counts.
    let result = server.session.handle_bytes(server.now, &report.repeat(201));
    assert_eq!(result, Err(Misbehaved::ControlFlood(200).into()));
}

#[test]
fn two_hundred_messages_a_second_are_no_flood() {
    let mut server = Server::playing();
    let request = encoded(&Message::new(types::KEY_REQUEST, vec![]));
    for _ in 0..5 {
        server.now += Duration::from_secs(1);
        server.feed(&request.repeat(200)).unwrap();
    }
}

#[test]
fn cuts_its_feedback_short() {
    for (message_type, len) in
        [(types::REPORT, 32), (types::CLOCK_REQUEST, 12), (types::CLOCK_RESPONSE, 28)]
    {
        let mut server = Server::playing();
        server.say(&Message::new(message_type, vec![0; len])).unwrap();
        let result = server.say(&Message::new(message_type, vec![0; len - 1]));
        assert_eq!(result, Err(Misbehaved::FeedbackTooShort(message_type).into()));
        server.keep(&format!("short {message_type:x}"));
    }
}

#[test]
fn a_server_cuts_its_feedback_short() {
    for (message_type, len) in [
        (types::REPORT, 32),
        (types::CLOCK_REQUEST, 12),
        (types::CLOCK_RESPONSE, 28),
        (types::SERVER_STAT, 24),
    ] {
        let address = Address::from_url("rtmp://host/live/room").unwrap();
        let wishes = Wishes::default();
        let mut client = client::Session::new(Purpose::Play, &address, &wishes, Instant::now());
        client.handle_bytes(&Preamble::OURS.encode()).unwrap();
        client.handle_bytes(&encoded(&Message::new(message_type, vec![0; len]))).unwrap();
        let short = encoded(&Message::new(message_type, vec![0; len - 1]));
        let want = Misbehaved::FeedbackTooShort(message_type);
        assert_eq!(client.handle_bytes(&short), Err(want.into()));
    }
}

#[test]
fn goes_on_and_on_while_a_question_is_open() {
    let now = Instant::now();
    let mut session = Session::new(now);
    let app = Value::object([("app", Value::string("live"))]);
    session.handle_bytes(now, &Preamble::OURS.encode()).unwrap();
    session.handle_bytes(now, &encoded(&command("connect", vec![app]))).unwrap();
    let result = (0..64).try_for_each(|_| session.handle_bytes(now, &[0; 1024]));
    assert_eq!(result, Ok(()), "64 KiB are held");
    assert_eq!(session.handle_bytes(now, &[0]), Err(Misbehaved::TooManyCommands.into()));
    assert!(session.held_bytes() <= 160 << 10, "{}", session.held_bytes());
}

#[test]
fn sends_commands_that_are_none() {
    for (body, want) in [
        (&b""[..], Error::from(Misbehaved::NoCommand)),
        (b"\0\0\0\0\0\0\0\0\0", Misbehaved::NoCommand.into()),
        (b"\x11\x01", amf0::Error::Amf3.into()),
    ] {
        let mut server = Server::connected();
        let result = server.say(&Message::new(types::COMMAND_AMF0, body.to_vec()));
        assert_eq!(result, Err(want), "{body:?}");
        server.keep(&format!("no command {}", body.len()));
    }
}

#[test]
fn sends_what_nobody_knows() {
    let mut server = Server::playing();
    server.events.clear();
    for message_type in [0, 1, 2, 3, 5, 6, 17, 22, 0xf5, 0xff] {
        server.say(&Message::new(message_type, vec![0xff; 40])).unwrap();
    }
    server.command("whatever", vec![]).unwrap();
    assert!(server.events.is_empty(), "all of it is skipped");
    server.keep("unknown types");
}

fn header(kind: Kind, seq: u32, gop: u32) -> Header {
    let flags = Flags { key: kind == Kind::Video && seq == gop, ..Flags::default() };
    Header { kind, flags, track: 0, cfg: 0, seq, gop, timestamp: seq * 40, ingest_us: None }
}

/// What is wrong with a stream of media of bodies of 100 bytes at most.
fn flaw(stream: &[u8]) -> Option<Error> {
    let mut reader = StreamReader::new(100);
    let mut input = stream;
    loop {
        match reader.read(&mut input) {
            Ok(Some(_)) => {}
            Ok(None) => return reader.finish().err(),
            Err(error) => return Some(error),
        }
    }
}

#[test]
fn sends_a_kind_that_is_none() {
    for kind in [0, 1, 7, 10, 17, 20, 0x7e, 0x80, 0xff] {
        let mut bytes = header(Kind::Audio, 1, 0).encode();
        bytes[0] = kind;
        assert_eq!(flaw(&bytes), Some(Misbehaved::MediaHeader.into()), "{kind}");
        let mut burst = [&[BURST][..], &burst_head(&header(Kind::Audio, 1, 0), 0)].concat();
        burst[5] = kind;
        assert_eq!(flaw(&burst), Some(Misbehaved::MediaHeader.into()), "{kind} in a burst");
        corpus::holds("rtmp_udp_media", &format!("kind {kind:x}"), &bytes);
    }
}

#[test]
fn sends_a_header_that_cannot_be_and_a_long_body() {
    let mut bytes = header(Kind::Audio, 1, 0).encode();
    bytes[0] = 7;
    let want = Err(Misbehaved::MediaHeader.into());
    let mut reader = StreamReader::new(100);
    assert_eq!(reader.read(&mut &bytes[..23]), Ok(None));
    assert_eq!(reader.read(&mut &bytes[23..]), want, "before there is a body");
    let mut head = burst_head(&header(Kind::Audio, 1, 0), 100);
    head[4] = 7;
    let burst = [&[BURST][..], &head].concat();
    let mut reader = StreamReader::new(100);
    assert_eq!(reader.read(&mut &burst[..28]), Ok(None));
    assert_eq!(reader.read(&mut &burst[28..]), want, "in a burst too");
}

#[test]
fn sends_a_gop_that_cannot_be() {
    let not_its_own = Header { gop: 4, ..header(Kind::Video, 5, 5) };
    for (name, header) in [
        ("a key frame of another GOP", not_its_own),
        ("a picture of its own", Header { flags: Flags::default(), ..header(Kind::Video, 5, 5) }),
        ("a picture of a GOP to come", header(Kind::Video, 5, 6)),
        ("a picture of a GOP of long ago", header(Kind::Video, 30_005, 5)),
        (
            "sound that is a key frame",
            Header { flags: Flags { key: true, ..Flags::default() }, ..header(Kind::Audio, 5, 0) },
        ),
    ] {
        assert_eq!(flaw(&header.encode()), Some(Misbehaved::MediaHeader.into()), "{name}");
        corpus::holds("rtmp_udp_media", name, &header.encode());
    }
}

#[test]
fn announces_a_message_of_a_burst_that_has_no_room_for_its_header() {
    for len in [0u32, 1, 23] {
        let stream = [&[BURST][..], &len.to_be_bytes()].concat();
        assert_eq!(flaw(&stream), Some(Misbehaved::MediaHeader.into()), "{len}");
        corpus::holds("rtmp_udp_media", &format!("burst length {len}"), &stream);
    }
}

#[test]
fn announces_a_long_message_of_a_burst() {
    for len in [101, u32::MAX as usize - Header::BYTES] {
        let stream = [&[BURST][..], &burst_head(&header(Kind::Audio, 1, 0), len)].concat();
        let want = Misbehaved::MessageTooLong { len, max: 100 };
        assert_eq!(flaw(&stream[..5]), Some(want.into()), "at its length");
        corpus::holds("rtmp_udp_media", &format!("burst message of {len}"), &stream);
    }
}

#[test]
fn sends_a_body_without_end() {
    let mut reader = StreamReader::new(100);
    reader.read(&mut &header(Kind::Audio, 1, 0).encode()[..]).unwrap();
    let mut result = Ok(None);
    let mut sent = 0;
    while result.is_ok() && sent < 1000 {
        sent += 10;
        result = reader.read(&mut &[0; 10][..]);
    }
    assert_eq!(result, Err(Misbehaved::MessageTooLong { len: 110, max: 100 }.into()));
    assert!(reader.held_bytes() <= 2 * (Header::BYTES + 110), "{}", reader.held_bytes());
}

#[test]
fn ends_a_stream_in_the_middle() {
    let cut = Some(Error::from(Misbehaved::MediaCut));
    assert_eq!(flaw(b""), cut, "or says nothing at all");
    assert_eq!(flaw(&header(Kind::Audio, 1, 0).encode()[..23]), cut);
    let head = burst_head(&header(Kind::Audio, 1, 0), 2);
    assert_eq!(flaw(&[&[BURST][..], &head, &[0]].concat()), cut);
}

fn receiver() -> (Receiver, Instant) {
    (Receiver::new(receiver::Purpose::Ingest, 1 << 20), Instant::now())
}

#[test]
fn numbers_its_media_far_ahead() {
    for kind in [Kind::Audio, Kind::Video, Kind::Data] {
        let (mut receiver, now) = receiver();
        let gop = |seq| if kind == Kind::Video { seq } else { 0 };
        let mut take = |seq| receiver.handle_media(header(kind, seq, gop(seq)), Bytes::new(), now);
        assert_eq!(take(30_001), Ok(()), "a long GOP may be missing");
        let want = Misbehaved::MediaSeq { seq: 30_002, next: 1, ahead: 30_000 };
        assert_eq!(take(30_002), Err(want.into()));
        let result = receiver.handle_reset(&header(kind, 30_002, gop(30_002)), now);
        assert!(matches!(result, Err(Error::Misbehaved(Misbehaved::MediaSeq { .. }))));
    }
}

#[test]
fn sends_the_same_number_twice() {
    let (mut receiver, now) = receiver();
    let body = |text: &'static str| Bytes::from_static(text.as_bytes());
    for (seq, text) in [(2, "b"), (2, "B"), (1, "a"), (1, "A"), (2, "B"), (3, "c"), (3, "C")] {
        receiver.handle_media(header(Kind::Video, seq, 1), body(text), now).unwrap();
    }
    let came: Vec<_> =
        std::iter::from_fn(|| receiver.poll_frame()).map(|a| (a.seq, a.frame.payload)).collect();
    assert_eq!(came, [(1, body("a")), (2, body("b")), (3, body("c"))], "each once");
    assert_eq!((receiver.counts().video_received, receiver.counts().video_lost), (3, 0));
    assert_eq!(receiver.held_bytes(), 0);
}

#[test]
fn opens_seventeen_tracks() {
    let (mut receiver, now) = receiver();
    for track in 0..16 {
        let header = Header { track, ..header(Kind::Audio, 1, 0) };
        receiver.handle_media(header, Bytes::new(), now).unwrap();
    }
    let want = Error::from(Misbehaved::TooManyTracks(16));
    let more = Header { track: 16, ..header(Kind::Audio, 1, 0) };
    assert_eq!(receiver.handle_media(more, Bytes::new(), now), Err(want.clone()));
    assert_eq!(receiver.handle_reset(&more, now), Err(want.clone()));
    let config = Message::config(Kind::Video, 0, 1, 0, vec![]);
    assert_eq!(receiver.handle_config(config, now), Err(want));
    let known = Message::config(Kind::Audio, 15, 1, 0, vec![0xaf, 0]);
    assert_eq!(receiver.handle_config(known, now), Ok(()));
}

#[test]
fn configures_and_never_sends_what_is_configured() {
    let (mut receiver, now) = receiver();
    let config = |n| Message::config(Kind::Video, 0, n % 255 + 1, 0, vec![0x17, 0, 0, 0, 0, n]);
    let result = (0..100).try_for_each(|n| receiver.handle_config(config(n), now));
    assert_eq!(result, Err(Misbehaved::TooManyCommands.into()));
}

/// What comes out would be the same whoever sent it: a peer that never fills a hole is kept waiting
/// for, within bounds.
#[test]
fn never_fills_a_hole() {
    for purpose in [
        receiver::Purpose::Ingest,
        receiver::Purpose::Play { conceal: false },
        receiver::Purpose::Play { conceal: true },
    ] {
        for kind in [Kind::Audio, Kind::Video, Kind::Data] {
            let mut receiver = Receiver::new(purpose, 1 << 20);
            receiver.handle_patience(Duration::from_secs(3600));
            let now = Instant::now();
            let body = Bytes::from(vec![0; 64 << 10]);
            for seq in 2..2000 {
                receiver
                    .handle_media(
                        header(kind, seq, u32::from(kind == Kind::Video)),
                        body.clone(),
                        now,
                    )
                    .unwrap();
                assert!(receiver.held_bytes() <= 8 << 20, "{} at {seq}", receiver.held_bytes());
            }
            let small = Bytes::new();
            for seq in (2001..40_000).step_by(2) {
                let gop = if kind == Kind::Video { seq - 1 } else { 0 };
                let _ = receiver.handle_media(header(kind, seq, gop), small.clone(), now);
                assert!(receiver.held_bytes() <= 8 << 20, "{}", receiver.held_bytes());
            }
        }
    }
}

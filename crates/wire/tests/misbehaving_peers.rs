//! One test for each lie a peer can tell. The name is the lie.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Instant;

use thalweg_testkit::corpus;
use thalweg_wire::amf0::{self, Value};
use thalweg_wire::error::{Misbehaved, Unsupported};
use thalweg_wire::rtmp::chunk::Header;
use thalweg_wire::rtmp::command::Command;
use thalweg_wire::rtmp::server::{Event, Output, Session};
use thalweg_wire::rtmp::{Limits, message::types};
use thalweg_wire::{Error, media};

/// A server that has done the handshake, and what it said.
struct Server {
    session: Session,
    now: Instant,
    /// Everything sent after the handshake: what a fuzzer may start from.
    sent: Vec<u8>,
    events: Vec<Event>,
    answers: usize,
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        let session = Session::new(Limits::default(), 1, now);
        let mut server = Server { session, now, sent: vec![], events: vec![], answers: 0 };
        let mut handshake = vec![0; 1 + 2 * 1536];
        handshake[0] = 3;
        server.feed(&handshake).unwrap();
        server.sent.clear();
        server
    }

    fn connected() -> Self {
        let mut server = Server::new();
        let app = Value::object([("app", Value::string("live"))]);
        server.command(0, "connect", vec![app]).unwrap();
        server
    }

    fn publishing() -> Self {
        let mut server = Server::connected();
        server.command(0, "createStream", vec![Value::Null]).unwrap();
        let arguments = vec![Value::Null, Value::string("room"), Value::string("live")];
        server.command(1, "publish", arguments).unwrap();
        assert!(server.session.is_publishing());
        server
    }

    /// Feeds bytes, accepts every question, and answers what was wrong.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sent.extend_from_slice(bytes);
        let mut result = self.session.handle_bytes(self.now, bytes);
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.answers += bytes.len(),
                Output::Timeout(_) => return result,
                Output::Event(event) => {
                    if event.is_question() {
                        result = result.and(self.session.accept(self.now));
                    }
                    self.events.push(event);
                }
            }
        }
    }

    fn message(&mut self, stream_id: u32, message_type: u8, body: &[u8]) -> Result<(), Error> {
        self.feed(&message(stream_id, message_type, body))
    }

    fn command(&mut self, stream_id: u32, name: &str, values: Vec<Value>) -> Result<(), Error> {
        let command = Command { name: name.to_owned(), transaction: 1.0, values };
        self.message(stream_id, types::COMMAND_AMF0, &command.encode())
    }

    /// Keeps the lie as a seed for the fuzzer.
    fn keep(&self, name: &str) {
        corpus::holds("server_session", name, &[&[0x20], &self.sent[..]].concat());
    }
}

/// In one chunk of the size every connection begins with, or as many as it takes.
fn message(stream_id: u32, message_type: u8, body: &[u8]) -> Vec<u8> {
    let header = Header {
        chunk_stream_id: 3,
        timestamp: 0,
        message_bytes: body.len() as u32,
        message_type,
        stream_id,
    };
    let mut out = Vec::new();
    header.write(128, body, &mut out);
    out
}

#[test]
fn announces_sixteen_megabytes_and_sends_nothing() {
    let mut server = Server::publishing();
    let huge = b"\x06\0\0\0\xff\xff\xff\x09\x01\0\0\0";
    let want = Misbehaved::MessageTooLong { len: 0xff_ffff, max: 4 << 20 };
    assert_eq!(server.feed(huge), Err(want.into()));
    server.keep("announces 16 MB");
}

#[test]
fn a_stranger_announces_more_than_a_command_needs() {
    let mut server = Server::connected();
    let big = b"\x06\0\0\0\x01\x00\x01\x14\0\0\0\0";
    let want = Misbehaved::MessageTooLong { len: 0x1_0001, max: 0x1_0000 };
    assert_eq!(server.feed(big), Err(want.into()));
}

#[test]
fn leaves_messages_unfinished_on_every_chunk_stream() {
    let mut server = Server::publishing();
    server.feed(b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\x10\0\0").unwrap(); // chunks of 1 MiB
    let mut result = Ok(());
    for csid in 4..10u8 {
        let head = [csid, 0, 0, 0, 0x20, 0, 0, 9, 1, 0, 0, 0];
        result = server.feed(&[&head[..], &[0; 1 << 20]].concat());
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(Misbehaved::TooManyUnfinished(4 << 20).into()));
}

#[test]
fn opens_more_chunk_streams_than_anyone_needs() {
    let mut server = Server::publishing();
    let result =
        (0..100u8).try_for_each(|id| server.feed(&[0, id, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 0xaf]));
    assert_eq!(result, Err(Misbehaved::TooManyChunkStreams(64).into()));
    server.keep("many chunk streams");
}

#[test]
fn sets_a_chunk_size_of_one() {
    for size in [0u32, 1, 127] {
        let mut server = Server::connected();
        let result = server.message(0, types::SET_CHUNK_SIZE, &size.to_be_bytes());
        assert_eq!(result, Err(Misbehaved::ChunkSize(size, 128).into()));
        server.keep(&format!("chunk size {size}"));
    }
}

#[test]
fn sets_a_chunk_size_with_the_forbidden_bit() {
    let result = Server::connected().message(0, types::SET_CHUNK_SIZE, &[0x80, 0, 1, 0]);
    assert_eq!(result, Err(Misbehaved::ChunkSize(0x8000_0100, 128).into()));
}

#[test]
fn sends_control_messages_cut_short() {
    for message_type in [1, 2, 3, 4, 5, 6] {
        let mut server = Server::connected();
        let result = server.message(0, message_type, &[0]);
        assert_eq!(result, Err(Misbehaved::ControlTooShort(message_type).into()));
        server.keep(&format!("short control {message_type}"));
    }
}

#[test]
fn changes_the_length_in_the_middle_of_a_message() {
    let mut server = Server::publishing();
    let video = message(1, types::VIDEO, &[0x17; 500]);
    server.feed(&video[..12 + 128]).unwrap();
    let shorter = &[3, 0, 0, 0, 0, 0, 9, 9, 1, 0, 0, 0][..];
    assert_eq!(server.feed(shorter), Err(Misbehaved::MessageNotWhole(3).into()));
    server.keep("length changes");
}

#[test]
fn continues_what_was_never_begun() {
    assert_eq!(Server::new().feed(b"\xc7\0"), Err(Misbehaved::NothingToContinue(7).into()));
}

#[test]
fn nests_objects_without_end() {
    let mut server = Server::connected();
    let mut body = Vec::new();
    amf0::encode_str("boom", &mut body);
    Value::Number(1.0).encode(&mut body);
    for _ in 0..5000 {
        body.extend_from_slice(b"\x03\0\x01a");
    }
    let result = server.message(0, types::COMMAND_AMF0, &body);
    assert_eq!(result, Err(amf0::Error::TooDeep.into()));
    corpus::holds("amf0", "nested", &body);
}

#[test]
fn counts_four_billion_items_and_sends_none() {
    let mut server = Server::connected();
    let mut body = Vec::new();
    amf0::encode_str("boom", &mut body);
    body.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\x0a\xff\xff\xff\xff");
    assert_eq!(server.message(0, types::COMMAND_AMF0, &body), Err(amf0::Error::Short.into()));
    corpus::holds("amf0", "four billion items", &body[7..]);
}

#[test]
fn sends_more_values_than_any_command_has() {
    let mut server = Server::publishing();
    let mut body = Vec::new();
    amf0::encode_str("boom", &mut body);
    body.extend_from_slice(&[5; 20_000]);
    assert_eq!(server.message(0, types::COMMAND_AMF0, &body), Err(amf0::Error::TooMany.into()));
}

#[test]
fn sends_a_command_that_is_a_number() {
    let mut server = Server::connected();
    let result = server.message(0, types::COMMAND_AMF0, b"\0\0\0\0\0\0\0\0\0");
    assert_eq!(result, Err(Misbehaved::NoCommand.into()));
    server.keep("nameless command");
}

#[test]
fn publishes_before_it_connects() {
    let mut server = Server::new();
    let result = server.command(1, "publish", vec![Value::Null, Value::string("x")]);
    assert_eq!(result, Err(Misbehaved::BeforeConnect("a command").into()));
    server.keep("publish before connect");
}

#[test]
fn connects_twice() {
    let mut server = Server::connected();
    let result = server.command(0, "connect", vec![Value::Null]);
    assert_eq!(result, Err(Misbehaved::ConnectTwice.into()));
    server.keep("connect twice");
}

#[test]
fn sends_media_nobody_asked_for() {
    for make in [Server::new, Server::connected] {
        let mut server = make();
        let result = server.message(1, types::VIDEO, &[0x17, 1]);
        assert_eq!(result, Err(Misbehaved::MediaBeforePublish.into()));
    }
}

#[test]
fn creates_streams_for_ever() {
    let mut server = Server::connected();
    let result = (0..1000).try_for_each(|_| server.command(0, "createStream", vec![]));
    assert_eq!(result, Err(Misbehaved::TooManyStreams(64).into()));
    assert!(server.answers < 20_000);
    server.keep("streams for ever");
}

#[test]
fn publishes_twice_on_one_connection() {
    let mut server = Server::publishing();
    server.command(0, "createStream", vec![Value::Null]).unwrap();
    server.command(2, "publish", vec![Value::Null, Value::string("other")]).unwrap();
    let questions = server.events.iter().filter(|e| matches!(e, Event::Publish(_))).count();
    assert_eq!(questions, 1, "the second is refused without asking");
    assert!(server.session.is_publishing(), "and the first goes on");
}

#[test]
fn floods_while_a_question_is_open() {
    let now = Instant::now();
    let mut session = Session::new(Limits::default(), 1, now);
    let mut handshake = vec![0; 1 + 2 * 1536];
    handshake[0] = 3;
    let app = Value::object([("app", Value::string("live"))]);
    let connect = Command { name: "connect".into(), transaction: 1.0, values: vec![app] };
    handshake.extend(message(0, types::COMMAND_AMF0, &connect.encode()));
    session.handle_bytes(now, &handshake).unwrap();
    assert!(session.is_deciding());
    let result = (0..100).try_for_each(|_| session.handle_bytes(now, &[0; 1024]));
    assert_eq!(result, Err(Misbehaved::TooManyCommands.into()));
}

#[test]
fn sends_an_aggregate_of_ever_so_many_parts() {
    let part = b"\x09\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x0c";
    let enough = Server::publishing().message(1, types::AGGREGATE, &part.repeat(1024));
    assert_eq!(enough, Ok(()));
    let result = Server::publishing().message(1, types::AGGREGATE, &part.repeat(1025));
    assert_eq!(result, Err(Misbehaved::Aggregate.into()));
}

#[test]
fn sends_an_aggregate_whose_parts_run_over() {
    let mut server = Server::publishing();
    let part = b"\x09\0\0\xff\0\0\0\0\0\0\0\x17";
    let result = server.message(1, types::AGGREGATE, part);
    assert_eq!(result, Err(Misbehaved::Aggregate.into()));
    server.keep("aggregate runs over");
}

#[test]
fn asks_for_shared_objects() {
    let mut server = Server::connected();
    let result = server.message(0, types::SHARED_OBJECT_AMF0, &[0; 20]);
    assert_eq!(result, Err(Unsupported::SharedObject.into()));
}

#[test]
fn wants_each_byte_acknowledged() {
    let mut server = Server::publishing();
    server.message(0, types::WINDOW_ACKNOWLEDGEMENT_SIZE, &[0, 0, 0, 1]).unwrap();
    let before = server.answers;
    for _ in 0..1000 {
        server.message(1, types::AUDIO, &[0xaf, 1, 0, 0]).unwrap();
    }
    assert!(server.answers - before < 100, "one in 4 KiB, not one a message");
}

#[test]
fn sends_empty_and_unknown_media() {
    let mut server = Server::publishing();
    for (message_type, body) in [(8, &[][..]), (9, &[]), (18, &[]), (9, &[0x17]), (8, &[0xff])] {
        server.message(1, message_type, body).unwrap();
    }
    server.message(1, 99, b"what").unwrap();
    let frames: Vec<_> = server.events.iter().filter(|e| matches!(e, Event::Frame(_))).collect();
    assert_eq!(frames.len(), 2, "empty bodies are no frames: {frames:?}");
}

#[test]
fn an_honest_aggregate_is_its_parts() {
    let mut server = Server::publishing();
    let mut body = Vec::new();
    for (kind, dts) in [(media::Kind::Audio, 5000), (media::Kind::Video, 5010)] {
        let payload = bytes::Bytes::from_static(&[0xaf, 1, 2]);
        thalweg_wire::flv::write_tag(&mut body, &media::Frame::new(kind, dts, payload));
    }
    let header = Header {
        chunk_stream_id: 5,
        timestamp: 100,
        message_bytes: body.len() as u32,
        message_type: types::AGGREGATE,
        stream_id: 1,
    };
    let mut out = Vec::new();
    header.write(128, &body, &mut out);
    server.feed(&out).unwrap();
    let times: Vec<_> = server
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Frame(f) => Some((f.kind, f.dts)),
            _ => None,
        })
        .collect();
    assert_eq!(times, [(media::Kind::Audio, 100), (media::Kind::Video, 110)]);
    server.keep("aggregate");
}

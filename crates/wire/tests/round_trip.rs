//! One table a type: the rows drive decoding, encoding and the fuzz corpus.
#![allow(clippy::unwrap_used)]

use thalweg_testkit::corpus;
use thalweg_wire::amf0::{Decoder, Error, Value};
use thalweg_wire::flv::TagHeader;
use thalweg_wire::rtmp::chunk::{Header, Reader};
use thalweg_wire::rtmp::command::{Command, Status, code};
use thalweg_wire::rtmp::message::{Control, UserControl};

#[test]
fn amf0_values() {
    let property = |v| vec![("k".to_owned(), v)];
    for (name, value, bytes) in [
        ("number", Value::Number(1.5), &b"\x00\x3f\xf8\0\0\0\0\0\0"[..]),
        ("true", Value::Boolean(true), b"\x01\x01"),
        ("string", Value::string("live"), b"\x02\0\x04live"),
        ("empty string", Value::string(""), b"\x02\0\0"),
        ("object", Value::Object(property(Value::Null)), b"\x03\0\x01k\x05\0\0\x09"),
        ("empty object", Value::Object(vec![]), b"\x03\0\0\x09"),
        ("null", Value::Null, b"\x05"),
        ("undefined", Value::Undefined, b"\x06"),
        ("array", Value::EcmaArray(property(Value::Null)), b"\x08\0\0\0\x01\0\x01k\x05\0\0\x09"),
        (
            "strict array",
            Value::StrictArray(vec![Value::Null, Value::Boolean(false)]),
            b"\x0a\0\0\0\x02\x05\x01\0",
        ),
        ("date", Value::Date(0.0), b"\x0b\0\0\0\0\0\0\0\0\0\0"),
        ("xml", Value::Xml("<a/>".into()), b"\x0f\0\0\0\x04<a/>"),
        (
            "object in array in object",
            Value::object([(
                "list",
                Value::StrictArray(vec![Value::object([("n", Value::Number(0.0))])]),
            )]),
            b"\x03\0\x04list\x0a\0\0\0\x01\x03\0\x01n\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\x09",
        ),
    ] {
        let mut written = Vec::new();
        value.encode(&mut written);
        assert_eq!(written, bytes, "{name}, written");
        assert_eq!(Decoder::new(bytes).next_value(), Ok(Some(value)), "{name}, read");
        for n in 1..bytes.len() {
            let cut = Decoder::new(&bytes[..n]).next_value();
            assert_eq!(cut, Err(Error::Short), "{name}, cut after {n}");
        }
        corpus::holds("amf0", name, bytes);
    }
}

#[test]
fn amf0_values_that_are_only_read() {
    for (name, bytes, want) in [
        ("typed object", &b"\x10\0\x01C\0\0\x09"[..], Ok(Value::Object(vec![]))),
        ("unsupported", b"\x0d", Ok(Value::Undefined)),
        ("long string", b"\x0c\0\0\0\x02hi", Ok(Value::string("hi"))),
        ("wrong count", b"\x08\0\0\0\xff\0\0\x09", Ok(Value::EcmaArray(vec![]))),
        ("not utf-8", b"\x02\0\x01\xff", Ok(Value::string("\u{fffd}"))),
        ("movie clip", b"\x04", Err(Error::Marker(4))),
        ("reference", b"\x07\0\0", Err(Error::Marker(7))),
        ("amf3", b"\x11\x01", Err(Error::Amf3)),
        ("object end alone", b"\x09", Err(Error::Marker(9))),
    ] {
        assert_eq!(Decoder::new(bytes).next_value(), want.map(Some), "{name}");
        corpus::holds("amf0", name, bytes);
    }
}

#[test]
fn control_messages() {
    for (name, control, bytes) in [
        ("set chunk size", Control::SetChunkSize(60_000), &[0, 0, 0xea, 0x60][..]),
        ("acknowledgement", Control::Acknowledgement(1), &[0, 0, 0, 1]),
        ("window", Control::WindowAckSize(2_500_000), &[0, 0x26, 0x25, 0xa0]),
        ("peer bandwidth", Control::SetPeerBandwidth(1, 2), &[0, 0, 0, 1, 2]),
        ("stream begin", Control::User(UserControl::StreamBegin(1)), &[0, 0, 0, 0, 0, 1]),
        ("stream eof", Control::User(UserControl::StreamEof(1)), &[0, 1, 0, 0, 0, 1]),
        (
            "buffer length",
            Control::User(UserControl::SetBufferLength(1, 1000)),
            &[0, 3, 0, 0, 0, 1, 0, 0, 3, 0xe8],
        ),
        ("ping", Control::User(UserControl::PingRequest(7)), &[0, 6, 0, 0, 0, 7]),
        ("pong", Control::User(UserControl::PingResponse(7)), &[0, 7, 0, 0, 0, 7]),
    ] {
        assert_eq!(control.encode(), bytes, "{name}");
        assert_eq!(Control::decode(control.message_type(), bytes), Ok(Some(control)), "{name}");
        let seed = [&[control.message_type()], bytes].concat();
        corpus::holds("message", name, &seed);
    }
}

#[test]
fn commands() {
    let refusal = Status::error(code::PUBLISH_DENIED, "the URL has expired").with_reason("x");
    for (name, command) in [
        ("publish", Command::new("publish", 5.0, [Value::string("room"), Value::string("live")])),
        ("on status", Command::on_status(&refusal)),
        ("create stream", Command::new("createStream", 4.0, [])),
    ] {
        let bytes = command.encode();
        assert_eq!(Command::decode(&bytes), Ok(command), "{name}");
        corpus::holds("message", name, &[&[20], &bytes[..]].concat());
    }
    assert_eq!(Command::on_status(&refusal).status(), Some(refusal));
}

#[test]
fn chunk_headers() {
    let header = |timestamp| Header {
        chunk_stream_id: 6,
        timestamp,
        message_bytes: 3,
        message_type: 9,
        stream_id: 1,
    };
    for (timestamp, head, continuation) in [
        (0, &b"\x06\0\0\0\0\0\x03\x09\x01\0\0\0"[..], &b"\xc6"[..]),
        (0xff_fffe, b"\x06\xff\xff\xfe\0\0\x03\x09\x01\0\0\0", b"\xc6"),
        (0xff_ffff, b"\x06\xff\xff\xff\0\0\x03\x09\x01\0\0\0\0\xff\xff\xff", b"\xc6\0\xff\xff\xff"),
        (
            0xffff_ffff,
            b"\x06\xff\xff\xff\0\0\x03\x09\x01\0\0\0\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
        ),
    ] {
        let header = header(timestamp);
        assert_eq!(header.encode().as_ref(), head, "{timestamp:#x}");
        assert_eq!(header.encode_continuation().as_ref(), continuation, "{timestamp:#x}");
        let bytes = [head, b"abc"].concat();
        let message = Reader::new(99).read(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!((message.timestamp, &message.payload[..]), (timestamp, &b"abc"[..]));
        corpus::holds("chunk", &format!("timestamp {timestamp:x}"), &bytes);
    }
}

#[test]
fn tag_headers() {
    for (name, header, bytes) in [
        (
            "video",
            TagHeader { tag_type: 9, body_bytes: 0x01_0203, timestamp: 0x0405_0607 },
            [9, 1, 2, 3, 5, 6, 7, 4, 0, 0, 0],
        ),
        (
            "end of time",
            TagHeader { tag_type: 8, body_bytes: 0, timestamp: u32::MAX },
            [8, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0],
        ),
    ] {
        assert_eq!(header.encode(), bytes, "{name}");
        assert_eq!(TagHeader::decode(&bytes), Some(header), "{name}");
        let file = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &bytes].concat();
        corpus::holds("flv", name, &file);
    }
}

#[test]
fn configuration_records_are_in_the_corpus() {
    use thalweg_testkit::media::Recipe;
    for (name, size) in
        [("360p", (640, 360)), ("720p", (1280, 720)), ("1088 cropped", (1920, 1080))]
    {
        let recipe = Recipe { size, ..Recipe::default() };
        let header = &recipe.configuration()[1].payload;
        let config = thalweg_wire::codec::avc::Config::parse(&header[5..]).unwrap();
        assert_eq!((config.width, config.height), (u32::from(size.0), u32::from(size.1)), "{name}");
        corpus::holds("codec", name, &header[5..]);
    }
    corpus::holds("codec", "aac", &[0x12, 0x88]);
    corpus::holds("codec", "he-aac", &[0x2b, 0x11, 0x88, 0]);
}

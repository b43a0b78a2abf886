//! Bodies of the fuzz targets.
//!
//! Each takes what a fuzzer makes up and panics when a promise is broken. The targets in `fuzz/` are
//! a line each; the tests of this crate replay the corpus through the same bodies.
#![expect(clippy::unwrap_used, reason = "to panic is how a fuzz target answers")]

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::amf0::{Decoder, Value};
use crate::bytes::Reader;
use crate::codec::{aac, avc};
use crate::error::Error;
use crate::flv::body;
use crate::rtmp::address::Address;
use crate::rtmp::command::{Command, Status, code};
use crate::rtmp::handshake::{self, Style};
use crate::rtmp::message::{self, Control};
use crate::rtmp::{Limits, chunk, client, server};
use crate::{flv, media::Frame, websocket};

/// What can be read can be written, and reads the same again.
pub fn amf0(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let mut d = Decoder::new(bytes);
        std::iter::from_fn(|| d.next_value().ok().flatten()).collect::<Vec<Value>>()
    };
    let values = read(data);
    let mut written = Vec::new();
    values.iter().for_each(|v| v.encode(&mut written));
    // Debug text, because NaN differs from itself.
    assert_eq!(format!("{values:?}"), format!("{:?}", read(&written)));
}

/// A file gives the same frames however it is cut, and so does what is written of them.
pub fn flv(data: &[u8]) {
    let whole = demux(data, usize::MAX);
    assert_eq!(whole, demux(data, step(data)));
    let mut again = flv::file_header(true, true).to_vec();
    whole.0.iter().for_each(|f| flv::write_tag(&mut again, f));
    let (frames, ok) = demux(&again, usize::MAX);
    assert!(ok);
    let payloads = |frames: &[Frame]| frames.iter().map(|f| f.payload.clone()).collect::<Vec<_>>();
    assert_eq!(payloads(&whole.0), payloads(&frames));
}

/// A client's frames mean the same however they are cut, and never become more than they were.
pub fn websocket(data: &[u8]) {
    let read = |step: usize| {
        let (mut reader, mut media, mut rest) = (websocket::Reader::default(), Vec::new(), vec![]);
        for part in data.chunks(step.max(1)) {
            let mut part = part.to_vec();
            let mut input = part.as_mut_slice();
            loop {
                match reader.next(&mut input) {
                    Ok(Some(websocket::Piece::Data(bytes))) => media.extend_from_slice(bytes),
                    Ok(Some(other)) => rest.push((media.len(), format!("{other:?}"))),
                    Ok(None) => break,
                    Err(flaw) => return (media, rest, Some(flaw)),
                }
            }
        }
        (media, rest, None)
    };
    let whole = read(usize::MAX);
    assert!(whole.0.len() <= data.len());
    assert_eq!(whole, read(step(data)));
    assert_eq!(whole, read(1));
}

/// Neither side's handshake fails after its first byte, nor depends on cuts.
pub fn handshake(data: &[u8]) {
    let run_server = |step: usize| {
        let (mut server, mut out) = (handshake::Server::new(1), Vec::new());
        let mut done = Ok(false);
        let mut over = 0;
        for mut part in data.chunks(step) {
            done = server.handle_bytes(&mut part, &mut out);
            over += part.len();
            if done.is_err() {
                return (done, Vec::new(), 0);
            }
        }
        (done, out, over)
    };
    assert_eq!(run_server(data.len().max(1)), run_server(step(data)));
    let run_client = |step: usize| {
        let mut out = Vec::new();
        let mut client = handshake::Client::new(Style::DigestFirst, 1, &mut out);
        let mut done = Ok(false);
        for mut part in data.chunks(step) {
            done = client.handle_bytes(&mut part, &mut out);
            if done.is_err() {
                break;
            }
        }
        (done, out)
    };
    assert_eq!(run_client(data.len().max(1)), run_client(step(data)));
}

/// Chunks give the same messages however they are cut, and so do the chunks made of those.
pub fn chunk(data: &[u8]) {
    let whole = messages(data, usize::MAX);
    assert_eq!(whole, messages(data, step(data)));
    let mut again = Vec::new();
    for m in &whole.0 {
        let header = chunk::Header {
            chunk_stream_id: 5,
            timestamp: m.timestamp,
            message_bytes: m.payload.len() as u32,
            message_type: m.message_type,
            stream_id: m.stream_id,
        };
        header.write(chunk::CHUNK_BYTES_AT_FIRST, &m.payload, &mut again);
    }
    assert_eq!(messages(&again, usize::MAX), (whole.0, None));
}

/// The first byte is a message type, the rest its body.
pub fn message(data: &[u8]) {
    let Some((&message_type, body)) = data.split_first() else {
        return;
    };
    if let Ok(Some(control)) = Control::decode(message_type, body) {
        let again = Control::decode(control.message_type(), &control.encode());
        assert_eq!(again, Ok(Some(control)));
    }
    if let Ok(command) = Command::decode(body) {
        let again = Command::decode(&command.encode()).unwrap();
        assert_eq!(format!("{command:?}"), format!("{again:?}"));
        let _ = command.status();
    }
    let body = Bytes::copy_from_slice(body);
    if let Ok(parts) = message::split_aggregate(0, &body) {
        assert!(parts.iter().map(|p| p.2.len()).sum::<usize>() <= body.len());
    }
    if let Some(kind) = crate::media::Kind::from_type(message_type) {
        assert_eq!(Frame::new(kind, 0, body.clone()).payload, body);
    }
    let _ = message::unwrap_data_frame(message::unwrap_amf3(body));
}

/// Configuration records: whatever they hold, reading them ends, and well.
pub fn codec(data: &[u8]) {
    if let Some(c) = avc::Config::parse(data) {
        assert!(c.fps.is_none_or(|fps| fps > 0.0) && !c.profile_name().is_empty());
    }
    if let Some(c) = aac::Config::parse(data) {
        assert!(c.channels <= 8 && !c.profile_name().is_empty());
    }
    for class in [body::video(data), body::audio(data), body::data(data)] {
        assert!(!(class.key && class.config));
    }
}

/// Three lines: tcUrl, app, name. Whatever is accepted is fit to be a name.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (tc_url, app, name) = (line(), line(), line());
    if let Ok(a) = Address::from_parts(tc_url, app, name) {
        assert!(!a.stream.is_empty() && !a.app.is_empty());
        for segment in a.app.split('/').chain([a.stream.as_str()]) {
            let bad = |c: char| c.is_control() || "/\\?#&%<>\"' ".contains(c);
            assert!(!segment.is_empty() && segment != "." && segment != "..");
            assert!(!segment.contains(bad), "{segment:?}");
        }
        let again = Address::from_parts(&a.tc_url(), &a.app, &a.name_and_query()).unwrap();
        assert_eq!((&a.app, &a.stream, &a.query), (&again.app, &again.stream, &again.query));
    }
    let _ = Address::from_url(tc_url);
}

/// A server's session after the handshake. The first byte chooses the cut and the answers.
pub fn server_session(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let mut input = handshake_bytes();
    input.extend_from_slice(data);
    let accepts = choice & 0x80 == 0;
    let whole = serve(&input, usize::MAX, accepts);
    let cut = serve(&input, usize::from(choice & 0x7f) + 1, accepts);
    assert_eq!(whole.0, cut.0, "events do not depend on cuts");
    assert!(
        whole.1 <= OUTPUT_BYTES_FIXED + input.len() * OUTPUT_BYTES_PER_BYTE,
        "{} bytes answered to {}",
        whole.1,
        input.len()
    );
}

/// A client's session after the handshake. The first byte chooses purpose and cut.
pub fn client_session(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let purpose = if choice & 0x80 == 0 { client::Purpose::Play } else { client::Purpose::Publish };
    let mut input = handshake_bytes();
    input.extend_from_slice(data);
    let whole = connect(&input, usize::MAX, purpose);
    let cut = connect(&input, usize::from(choice & 0x7f) + 1, purpose);
    assert_eq!(whole, cut, "events do not depend on cuts");
}

fn demux(data: &[u8], step: usize) -> (Vec<Frame>, bool) {
    let mut d = flv::Demuxer::new(BYTES_MAX);
    let ok = data.chunks(step).all(|part| d.handle_bytes(part).is_ok());
    (std::iter::from_fn(|| d.poll_frame()).collect(), ok)
}

fn messages(data: &[u8], step: usize) -> (Vec<chunk::Message>, Option<Error>) {
    let (mut reader, mut out) = (chunk::Reader::new(BYTES_MAX), Vec::new());
    for mut part in data.chunks(step) {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => out.push(message),
                Ok(None) => break,
                Err(e) => return (out, Some(e)),
            }
        }
    }
    (out, None)
}

fn serve(input: &[u8], step: usize, accepts: bool) -> (Vec<String>, usize) {
    let limits = Limits { stranger_bytes_max: BYTES_MAX, ..Limits::default() };
    let now = Instant::now();
    let mut session = server::Session::new(limits, 1, now);
    let (mut trace, mut sent) = (Vec::new(), 0);
    for part in input.chunks(step) {
        let mut result = session.handle_bytes(now, part);
        loop {
            match session.poll_output() {
                server::Output::Transmit(bytes) => sent += bytes.len(),
                server::Output::Timeout(_) => break,
                server::Output::Event(event) => {
                    trace.push(format!("{event:?}"));
                    if event.is_question() && result.is_ok() {
                        result = if accepts {
                            session.accept(now)
                        } else {
                            session.reject(now, &Status::error(code::PLAY_FAILED, "no"))
                        };
                    }
                }
            }
        }
        if let Err(e) = result {
            assert!(!matches!(e, Error::Misused(_)));
            trace.push(e.to_string());
            break;
        }
    }
    let _ = session.handle_timeout(now + Duration::from_secs(1000));
    (trace, sent)
}

fn connect(input: &[u8], step: usize, purpose: client::Purpose) -> Vec<String> {
    let address = Address::from_url("rtmp://h/live/s").unwrap();
    let now = Instant::now();
    let limits = Limits { message_bytes_max: BYTES_MAX, ..Limits::default() };
    let mut session = client::Session::new(purpose, address, Style::Simple, &limits, 1, now);
    let mut trace = Vec::new();
    for part in input.chunks(step) {
        let result = session.handle_bytes(part);
        loop {
            match session.poll_output() {
                client::Output::Transmit(_) => {}
                client::Output::Timeout(_) => break,
                client::Output::Event(event) => trace.push(format!("{event:?}")),
            }
        }
        if let Err(e) = result {
            trace.push(e.to_string());
            break;
        }
    }
    trace
}

/// What either side sends for a handshake without a digest.
fn handshake_bytes() -> Vec<u8> {
    let mut bytes = vec![0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
}

/// A cut of one byte to 256, taken from the data itself.
fn step(data: &[u8]) -> usize {
    Reader::new(data).u8().map_or(1, |b| usize::from(b) + 1)
}

const BYTES_MAX: usize = 1 << 16;
/// The handshake's answer and the welcome.
const OUTPUT_BYTES_FIXED: usize = 8192;
/// A command of thirty bytes buys an answer of some two hundred; a ping of 18, one of 18.
const OUTPUT_BYTES_PER_BYTE: usize = 16;

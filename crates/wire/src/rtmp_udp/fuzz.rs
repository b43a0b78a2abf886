//! Bodies of RTMP-UDP's fuzz targets: see [`crate::fuzz`].
#![expect(clippy::unwrap_used, reason = "to panic is how a fuzz target answers")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{self, Wishes};
use super::control::{self, Message, Preamble};
use super::media::{BURST, Header, StreamReader, burst_head};
use super::receiver::{Purpose, Receiver};
use super::server;
use crate::error::Error;
use crate::rtmp::address::Address;
use crate::rtmp::client::Purpose as Wish;
use crate::rtmp::command::{Status, code};

/// A control stream, preamble and all, gives the same messages however it is cut, and so do the bytes
/// made of those. What is kept is what came.
pub fn control(data: &[u8]) {
    let (preamble, data) = data.split_at(data.len().min(Preamble::BYTES));
    if let Some(Ok(preamble)) = preamble.first_chunk().map(|bytes| Preamble::decode(*bytes)) {
        assert_eq!(Preamble::decode(preamble.encode()), Ok(preamble));
    }
    let whole = messages(data, usize::MAX);
    assert_eq!(whole, messages(data, 7));
    assert_eq!(whole, messages(data, 1));
    let mut again = Vec::new();
    whole.0.iter().for_each(|m| m.encode(&mut again));
    assert_eq!(messages(&again, usize::MAX), (whole.0, None));
}

/// A stream of media gives the same messages however it is cut, and so does one made of those. A
/// receiver hands each out once and in order, and holds nothing for ever.
pub fn media(data: &[u8]) {
    let whole = media_messages(data, usize::MAX);
    assert_eq!(whole, media_messages(data, 7));
    assert_eq!(whole, media_messages(data, 1));
    let mut again = vec![BURST];
    for (header, body) in &whole.0 {
        again.extend_from_slice(&burst_head(header, body.len()));
        again.extend_from_slice(body);
    }
    assert_eq!(media_messages(&again, usize::MAX), (whole.0.clone(), None));
    for purpose in
        [Purpose::Ingest, Purpose::Play { conceal: false }, Purpose::Play { conceal: true }]
    {
        receive(purpose, &whole.0);
    }
}

/// A session. The first byte chooses the cut, the answers, and which side of the talk it is.
pub fn session(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let step = usize::from(choice & 0x3f) + 1;
    if choice & 0x40 != 0 {
        let wish = if choice & 0x80 == 0 { Wish::Play } else { Wish::Publish };
        let whole = connect(data, usize::MAX, wish);
        assert_eq!(whole, connect(data, step, wish), "events do not depend on cuts");
        return;
    }
    let accepts = choice & 0x80 == 0;
    let whole = serve(data, usize::MAX, accepts);
    assert_eq!(whole.0, serve(data, step, accepts).0, "events do not depend on cuts");
    let answered = whole.1;
    let fair = OUTPUT_BYTES_FIXED + data.len() * OUTPUT_BYTES_PER_BYTE;
    assert!(answered <= fair, "{answered} bytes answered to {}", data.len());
}

fn messages(data: &[u8], step: usize) -> (Vec<Message>, Option<Error>) {
    let (mut reader, mut out) = (control::Reader::default(), Vec::new());
    for mut part in data.chunks(step) {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => out.push(message),
                Ok(None) => break,
                Err(e) => return (out, Some(e)),
            }
        }
        assert!(reader.held_bytes() <= 64 + 2 * data.len());
    }
    (out, None)
}

fn media_messages(data: &[u8], step: usize) -> (Vec<(Header, Bytes)>, Option<Error>) {
    let (mut reader, mut out) = (StreamReader::new(BODY_BYTES_MAX), Vec::new());
    for mut part in data.chunks(step) {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => out.push(message),
                Ok(None) => break,
                Err(e) => return (out, Some(e)),
            }
        }
        assert!(reader.held_bytes() <= 64 + 2 * data.len());
    }
    let last = reader.finish();
    let flaw = last.as_ref().err().cloned();
    out.extend(last.ok().flatten());
    (out, flaw)
}

/// Messages come 10 ms apart. Those of a body that begins with 'R' are reset, with 'C' configuration.
fn receive(purpose: Purpose, messages: &[(Header, Bytes)]) {
    let (mut receiver, mut now) = (Receiver::new(purpose, BODY_BYTES_MAX), Instant::now());
    let (mut seen, mut handed_out, mut came) = (BTreeSet::new(), 0, 0);
    let is_one_track = messages.iter().all(|(header, _)| header.track == 0);
    for (header, body) in messages {
        let result = match body.first() {
            Some(b'R') => receiver.handle_reset(header, now),
            Some(b'C') => {
                let config =
                    Message::config(header.kind, header.track, header.cfg, 0, body.to_vec());
                receiver.handle_config(config, now)
            }
            _ => {
                came += 1;
                receiver.handle_media(*header, body.clone(), now)
            }
        };
        if result.is_err() {
            return;
        }
        assert!(receiver.held_bytes() <= messages.iter().map(|(_, b)| b.len()).sum());
        while let Some(arrived) = receiver.poll_frame() {
            if arrived.seq == 0 {
                continue;
            }
            handed_out += 1;
            let slot = (arrived.frame.kind, arrived.seq);
            assert!(seen.insert(slot) || !is_one_track, "{slot:?} twice");
        }
        now += Duration::from_millis(10);
        if receiver.poll_timeout().is_some_and(|at| at <= now) {
            receiver.handle_timeout(now);
            assert!(receiver.poll_timeout().is_none_or(|at| at > now), "it would spin");
        }
    }
    // Each waits for what is before it: at most for a while, one after the other.
    let mut rounds = 0;
    while let Some(at) = receiver.poll_timeout() {
        now = now.max(at);
        receiver.handle_timeout(now);
        rounds += 1;
        assert!(rounds <= 8 * (messages.len() + 1), "it waits for ever");
    }
    assert_eq!(receiver.held_bytes(), 0, "and keeps nothing");
    handed_out += std::iter::from_fn(|| receiver.poll_frame()).filter(|a| a.seq > 0).count();
    assert!(handed_out <= came);
}

fn serve(input: &[u8], step: usize, accepts: bool) -> (Vec<String>, usize) {
    let now = Instant::now();
    let mut session = server::Session::new(now);
    let (mut trace, mut sent) = (Vec::new(), 0);
    for part in input.chunks(step) {
        let mut result = session.handle_bytes(now, part);
        loop {
            match session.poll_output() {
                server::Output::Transmit(bytes) => sent += bytes.len(),
                server::Output::Timeout(_) => break,
                server::Output::Event(event) => {
                    trace.push(format!("{event:?}"));
                    let is_question = matches!(
                        event,
                        server::Event::Connect(_)
                            | server::Event::Publish(_)
                            | server::Event::Play(_)
                    );
                    if is_question && result.is_ok() {
                        result = if accepts {
                            session.accept("name")
                        } else {
                            session.reject(&Status::error(code::PLAY_FAILED, "no"))
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

fn connect(input: &[u8], step: usize, wish: Wish) -> Vec<String> {
    let address = Address::from_url("rtmp://h/live/s").unwrap();
    let mut session = client::Session::new(wish, &address, &Wishes::default(), Instant::now());
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

const BODY_BYTES_MAX: usize = 1 << 16;
/// The welcome.
const OUTPUT_BYTES_FIXED: usize = 2048;
/// A command of thirty bytes buys an answer of some two hundred.
const OUTPUT_BYTES_PER_BYTE: usize = 16;

//! One viewer, without its socket: bytes in, numbers out.

use std::time::Instant;

use thalweg_wire::flv::Demuxer;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::client::{Event, Output, Purpose, Session};
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::{Address, Limits};

use crate::process::monotonic_ns;
use crate::stamp;

/// A viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    wire: Wire,
    /// Bytes to send.
    pub(crate) unsent: Vec<u8>,
    pub(crate) seen: Seen,
    /// Checks every byte, and remembers every delay.
    is_probe: bool,
    began: Instant,
    last_media: Option<Instant>,
    last_number: Option<u64>,
}

#[derive(Debug)]
enum Wire {
    Rtmp(Box<Session>),
    /// Until the head of the answer is whole, it is kept.
    Http(Vec<u8>),
    Flv(Box<Demuxer>),
    WsFlv(Box<Frames>, Box<Demuxer>),
}

/// Takes a server's WebSocket frames apart: none is masked, and what is no data is passed over.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    left: u64,
    is_data: bool,
}

impl Frames {
    /// The payloads in `bytes`, one after the other.
    fn payloads<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut payloads = Vec::new();
        while !bytes.is_empty() {
            if self.left == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                let long = match self.header.get(1) {
                    Some(126) => 2,
                    Some(127) => 8,
                    _ => 0,
                };
                if self.header.len() == 2 + long {
                    let len = if long == 0 { &self.header[1..] } else { &self.header[2..] };
                    self.is_data = self.header[0] & 0x0f <= BINARY;
                    self.left = len.iter().fold(0, |n, b| n << 8 | u64::from(*b));
                    self.header.clear();
                }
                continue;
            }
            let n = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (payload, rest) = bytes.split_at(n);
            if self.is_data {
                payloads.push(payload);
            }
            self.left -= n as u64;
            bytes = rest;
        }
        payloads
    }
}

/// What a viewer has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// From connecting to the first picture, ms.
    pub(crate) first_picture_ms: Option<f64>,
    pub(crate) bytes: u64,
    /// Times that bytes came, which for a probe is about how often the server wrote.
    pub(crate) reads: u64,
    pub(crate) pictures: u64,
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    pub(crate) whole: u64,
    pub(crate) damaged: u64,
    /// Longest time without media, ms.
    pub(crate) longest_gap_ms: f64,
    /// Probes only: from the publisher's stamp to here, ms.
    pub(crate) delays_ms: Vec<f64>,
}

impl Viewer {
    /// A viewer of an RTMP stream.
    pub(crate) fn rtmp(address: Address, seed: u64, is_probe: bool) -> Viewer {
        let (limits, now) = (Limits::default(), Instant::now());
        let session = Session::new(Purpose::Play, address, Style::Simple, &limits, seed, now);
        let mut viewer = Viewer::new(Wire::Rtmp(Box::new(session)), is_probe);
        let _ = viewer.drain(now);
        viewer
    }

    /// A viewer of FLV over HTTP.
    pub(crate) fn http(host: &str, path: &str, is_probe: bool) -> Viewer {
        let mut viewer = Viewer::new(Wire::Http(Vec::new()), is_probe);
        viewer.unsent = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
        viewer
    }

    /// A viewer of FLV over a WebSocket.
    pub(crate) fn websocket(host: &str, path: &str, is_probe: bool) -> Viewer {
        let mut viewer = Viewer::new(Wire::Http(Vec::new()), is_probe);
        viewer.unsent = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhhbHdlZyBiZW5jaCBoZQ==\r\n\r\n"
        )
        .into_bytes();
        viewer
    }

    fn new(wire: Wire, is_probe: bool) -> Viewer {
        Viewer {
            wire,
            unsent: Vec::new(),
            seen: Seen::default(),
            is_probe,
            began: Instant::now(),
            last_media: None,
            last_number: None,
        }
    }

    /// Whether media has come.
    pub(crate) fn is_playing(&self) -> bool {
        self.seen.first_picture_ms.is_some()
    }

    /// Begins to count anew; what it knows of the stream goes on.
    pub(crate) fn restart(&mut self) {
        self.seen = Seen { first_picture_ms: self.seen.first_picture_ms, ..Seen::default() };
        self.last_media = self.last_media.map(|_| Instant::now());
    }

    /// The gap that is still open counts as well.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.note_gap(now);
    }

    /// Takes bytes that came.
    ///
    /// # Errors
    /// Why the viewer is over, in words.
    pub(crate) fn handle(&mut self, bytes: &[u8], now: Instant) -> Result<(), String> {
        self.seen.bytes += bytes.len() as u64;
        self.seen.reads += 1;
        match &mut self.wire {
            Wire::Rtmp(session) => session.handle_bytes(bytes).map_err(|e| e.to_string())?,
            Wire::Flv(demuxer) => demuxer.handle_bytes(bytes).map_err(|e| e.to_string())?,
            Wire::WsFlv(frames, demuxer) => feed(frames, demuxer, bytes)?,
            Wire::Http(head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else {
                    return if head.len() < HEAD_BYTES_MAX {
                        Ok(())
                    } else {
                        Err("no HTTP".into())
                    };
                };
                let mut demuxer = Box::new(Demuxer::new(TAG_BYTES_MAX));
                let body = &head[end + 4..];
                let wire = if head.starts_with(b"HTTP/1.1 200") {
                    demuxer.handle_bytes(body).map_err(|e| e.to_string())?;
                    Wire::Flv(demuxer)
                } else if head.starts_with(b"HTTP/1.1 101") {
                    let mut frames = Box::<Frames>::default();
                    feed(&mut frames, &mut demuxer, body)?;
                    Wire::WsFlv(frames, demuxer)
                } else {
                    return Err(String::from_utf8_lossy(head).lines().next().unwrap_or("").into());
                };
                self.wire = wire;
            }
        }
        self.drain(now)
    }

    fn drain(&mut self, now: Instant) -> Result<(), String> {
        loop {
            let frame = match &mut self.wire {
                Wire::Http(_) => return Ok(()),
                Wire::Flv(demuxer) | Wire::WsFlv(_, demuxer) => demuxer.poll_frame(),
                Wire::Rtmp(session) => match session.poll_output() {
                    Output::Transmit(bytes) => {
                        self.unsent.extend_from_slice(&bytes);
                        continue;
                    }
                    Output::Event(Event::Frame(frame)) => Some(frame),
                    Output::Event(Event::Refused(why) | Event::Ended(why)) => {
                        return Err(why.description);
                    }
                    Output::Event(Event::Started | Event::Status(_)) => continue,
                    Output::Timeout(_) => None,
                },
            };
            match frame {
                Some(frame) => self.count(&frame, now),
                None => return Ok(()),
            }
        }
    }

    fn count(&mut self, frame: &Frame, now: Instant) {
        if !frame.is_media() {
            return;
        }
        self.note_gap(now);
        self.last_media = Some(now);
        if frame.kind != Kind::Video {
            return;
        }
        let ms = |d: std::time::Duration| d.as_secs_f64() * 1000.0;
        self.seen.first_picture_ms.get_or_insert(ms(now.saturating_duration_since(self.began)));
        self.seen.pictures += 1;
        let Some(stamp) = stamp::read(frame) else { return };
        match self.last_number {
            Some(last) if stamp.number > last => self.seen.lost += stamp.number - last - 1,
            Some(_) => self.seen.reordered += 1,
            None => {}
        }
        self.last_number = Some(stamp.number);
        if self.is_probe {
            let is_whole = stamp.is_whole(frame);
            self.seen.whole += u64::from(is_whole);
            self.seen.damaged += u64::from(!is_whole);
            self.seen.delays_ms.push(monotonic_ns().saturating_sub(stamp.ns) as f64 / 1e6);
        }
    }

    fn note_gap(&mut self, now: Instant) {
        if let Some(last) = self.last_media {
            let gap = now.saturating_duration_since(last).as_secs_f64() * 1000.0;
            self.seen.longest_gap_ms = self.seen.longest_gap_ms.max(gap);
        }
    }
}

fn feed(frames: &mut Frames, demuxer: &mut Demuxer, bytes: &[u8]) -> Result<(), String> {
    let mut payloads = frames.payloads(bytes).into_iter();
    payloads.try_for_each(|p| demuxer.handle_bytes(p)).map_err(|e| e.to_string())
}

/// Opcode of a binary message; the one below is text, and 0 goes on with either.
const BINARY: u8 = 2;
const HEAD_BYTES_MAX: usize = 16 << 10;
const TAG_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_wire::flv;

    /// What a viewer of HTTP-FLV sees of these pictures.
    fn seen(pictures: impl IntoIterator<Item = Frame>) -> Seen {
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        bytes.extend_from_slice(&flv::file_header(false, true));
        pictures.into_iter().for_each(|f| flv::write_tag(&mut bytes, &f));
        let mut viewer = Viewer::http("h", "/a/b.flv", true);
        for part in bytes.chunks(100) {
            viewer.handle(part, Instant::now()).unwrap();
        }
        viewer.seen
    }

    fn pictures() -> Vec<Frame> {
        let picture = |n: u64| {
            let body = [&b"\x27\x01\0\0\0\0\0\0\x40"[..], &[n as u8; 64]].concat();
            let frame = Frame::new(Kind::Video, n as i64 * 40, body.into());
            stamp::stamped(&frame, n, monotonic_ns(), 500)
        };
        (0..10).map(picture).collect()
    }

    #[test]
    fn what_is_whole_and_in_order_is_no_trouble() {
        let seen = seen(pictures());
        assert_eq!((seen.pictures, seen.whole, seen.damaged), (10, 10, 0));
        assert_eq!((seen.lost, seen.reordered, seen.delays_ms.len()), (0, 0, 10));
    }

    #[test]
    fn what_is_missing_changed_or_late_shows() {
        let mut pictures = pictures();
        pictures.remove(7);
        pictures.remove(3);
        pictures.swap(0, 1);
        let mut changed = pictures[4].payload.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        pictures[4].payload = changed.into();
        let seen = seen(pictures);
        assert_eq!((seen.pictures, seen.whole, seen.damaged), (8, 7, 1));
        assert_eq!((seen.lost, seen.reordered), (3, 1), "3, 7, and 1 until it came late");
    }

    #[test]
    fn frames_of_a_websocket_are_taken_apart_however_they_are_cut() {
        let (mut bytes, mut want) = (Vec::new(), Vec::new());
        for len in [0, 5, 125, 126, 70_000] {
            thalweg_wire::websocket::write_binary_header(&mut bytes, len);
            bytes.resize(bytes.len() + len, len as u8);
            want.resize(want.len() + len, len as u8);
        }
        for part in [1, 3, 100, bytes.len()] {
            let mut frames = Frames::default();
            let got: Vec<u8> =
                bytes.chunks(part).flat_map(|p| frames.payloads(p).concat()).collect();
            assert!(got == want, "in parts of {part}");
        }
    }

    #[test]
    fn a_refusal_is_its_fate() {
        let mut viewer = Viewer::http("h", "/a/b.flv", false);
        let refusal = viewer.handle(b"HTTP/1.1 404 Not Found\r\n\r\n{}", Instant::now());
        assert_eq!(refusal, Err("HTTP/1.1 404 Not Found".to_owned()));
    }
}

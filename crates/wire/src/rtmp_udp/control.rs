//! The control stream: a preamble, then messages, both ways (section 3), and what feedback says
//! (section 6).
//!
//! ```text
//! preamble   0  "RTMU"   4  version = 1   5  flags = 0   6  0:16
//!
//! message    0  type           an RTMP message type, or 0xF0 to 0xF4
//!            1  flags          b1 CONFIG
//!            2  track
//!            3  cfg            generation of a configuration, else 0
//!            4  timestamp:32   ms
//!            8  length:32      of the body, at most 65 536
//!           12  body
//! ```

use crate::bytes::Reader as Bytes;
use crate::error::{Error, Misbehaved};
use crate::media::Kind;

/// What either side says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preamble {
    /// Of the client: the highest it knows. Of the server: the highest both know.
    pub version: u8,
}

impl Preamble {
    /// Its length.
    pub const BYTES: usize = 8;
    /// Ours.
    pub const OURS: Preamble = Preamble { version: 1 };

    /// As it stands on the wire.
    pub fn encode(self) -> [u8; Preamble::BYTES] {
        let [r, t, m, u] = *MAGIC;
        [r, t, m, u, self.version, 0, 0, 0]
    }

    /// Reads one. Flags are for versions to come.
    ///
    /// # Errors
    /// [`Misbehaved::NotRtmpUdp`] when it is something else.
    pub fn decode(bytes: [u8; Preamble::BYTES]) -> Result<Preamble, Misbehaved> {
        let [r, t, m, u, version, ..] = bytes;
        if [r, t, m, u] == *MAGIC && version > 0 {
            Ok(Preamble { version })
        } else {
            Err(Misbehaved::NotRtmpUdp)
        }
    }
}

/// A message of the control stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One of [`types`].
    pub message_type: u8,
    /// The body is configuration: metadata or a sequence header.
    pub config: bool,
    /// Track; 0 is the default one.
    pub track: u8,
    /// Generation of the configuration, 1 to 255; else 0.
    pub cfg: u8,
    /// RTMP timestamp, ms.
    pub timestamp: u32,
    /// RTMP message body, or feedback.
    pub body: Vec<u8>,
}

/// Message types of the control stream. The low ones are RTMP's.
#[expect(missing_docs, reason = "named as the specification names them")]
pub mod types {
    pub const USER_CONTROL: u8 = 4;
    pub const COMMAND_AMF0: u8 = 20;
    pub const REPORT: u8 = 0xF0;
    pub const KEY_REQUEST: u8 = 0xF1;
    pub const CLOCK_REQUEST: u8 = 0xF2;
    pub const CLOCK_RESPONSE: u8 = 0xF3;
    pub const SERVER_STAT: u8 = 0xF4;
}

impl Message {
    /// A message that is no configuration.
    pub fn new(message_type: u8, body: Vec<u8>) -> Message {
        Message { message_type, config: false, track: 0, cfg: 0, timestamp: 0, body }
    }

    /// A configuration.
    pub fn config(kind: Kind, track: u8, cfg: u8, timestamp: u32, body: Vec<u8>) -> Message {
        Message { message_type: kind as u8, config: true, track, cfg, timestamp, body }
    }

    /// Appends it as it stands on the wire. A body is at most [`BODY_BYTES_MAX`] long: whoever makes
    /// longer ones has to cut them before.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(self.body.len() <= BODY_BYTES_MAX);
        let flags = if self.config { FLAG_CONFIG } else { 0 };
        out.extend_from_slice(&[self.message_type, flags, self.track, self.cfg]);
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.body);
    }
}

/// Takes the control stream apart, however it is cut. Keeps what has come of one message: 64 KiB at
/// most.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a message that is not whole.
    begun: Vec<u8>,
}

impl Reader {
    /// The next whole message. What is left of `input` is the rest of it, or empty.
    ///
    /// # Errors
    /// [`Misbehaved::ControlTooLong`] as soon as a header says so, whatever comes of the body.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        if !self.fill(HEADER_BYTES, input) {
            return Ok(None);
        }
        let len = body_len(&self.begun);
        if len > BODY_BYTES_MAX {
            return Err(Misbehaved::ControlTooLong { len, max: BODY_BYTES_MAX }.into());
        }
        if !self.fill(HEADER_BYTES + len, input) {
            return Ok(None);
        }
        let begun = std::mem::take(&mut self.begun);
        Ok(decode(&begun))
    }

    /// Bytes kept of a message that is not whole.
    pub fn held_bytes(&self) -> usize {
        self.begun.capacity()
    }

    /// Takes from `input` until `want` bytes are there, and answers whether they are.
    fn fill(&mut self, want: usize, input: &mut &[u8]) -> bool {
        let missing = want.saturating_sub(self.begun.len());
        let (take, rest) = input.split_at(missing.min(input.len()));
        self.begun.extend_from_slice(take);
        *input = rest;
        self.begun.len() >= want
    }
}

fn body_len(header: &[u8]) -> usize {
    let mut r = Bytes::new(header);
    r.take(8).and_then(|_| r.u32()).map_or(0, |len| len as usize)
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let mut r = Bytes::new(bytes);
    let [message_type, flags, track, cfg] = r.array()?;
    let (timestamp, _len) = (r.u32()?, r.u32()?);
    let config = flags & FLAG_CONFIG != 0;
    Some(Message { message_type, config, track, cfg, timestamp, body: r.rest().to_vec() })
}

/// What a receiver of media tells its sender each half second.
///
/// ```text
///  0 highest video seq:32   4 video received:32    8 video lost:32   12 audio received:32
/// 16 audio lost:32         20 received kbit/s:32  24 buffer ms:16   26 end to end ms:16
/// 28 decode queue:16       30 freezes:16
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// The latest picture that came.
    pub video_seq_max: u32,
    /// Pictures that came.
    pub video_received: u32,
    /// Pictures given up.
    pub video_lost: u32,
    /// Sound messages that came.
    pub audio_received: u32,
    /// Sound messages given up.
    pub audio_lost: u32,
    /// What came in the last half second.
    pub kbit_per_s: u32,
    /// What lies in the jitter buffer.
    pub buffer_ms: u16,
    /// From the server's ingest to the screen.
    pub delay_ms: u16,
    /// Pictures that wait for the decoder.
    pub decode_queue: u16,
    /// Times the picture stood still, so far.
    pub freezes: u16,
}

/// Two clocks, compared: when it was asked, when that came, when it was answered. Microseconds; the
/// asker's clock may begin anywhere, the answerer's is UNIX time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockResponse {
    /// Which question.
    pub id: u32,
    /// When it was asked, on the asker's clock.
    pub asked_us: u64,
    /// When it came, on the answerer's.
    pub came_us: u64,
    /// When it was answered.
    pub answered_us: u64,
}

/// What a server tells a viewer each second.
///
/// ```text
///  0 srtt us:32   4 min RTT us:32   8 cwnd:32   12 lost packets:32   16 frames dropped:32
/// 20 viewers:16  22 gate:16
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerStat {
    /// Smoothed round trip, microseconds.
    pub srtt_us: u32,
    /// Least round trip, microseconds.
    pub min_rtt_us: u32,
    /// Bytes that may be in flight.
    pub cwnd: u32,
    /// Packets lost so far.
    pub packets_lost: u32,
    /// Frames given up so far.
    pub frames_dropped: u32,
    /// Viewers of the stream over UDP.
    pub viewers: u16,
    /// Whether pictures are held back until the next key frame.
    pub gated: bool,
}

impl Report {
    /// As a message.
    pub fn to_message(self) -> Message {
        let mut body = Vec::with_capacity(32);
        for n in [
            self.video_seq_max,
            self.video_received,
            self.video_lost,
            self.audio_received,
            self.audio_lost,
            self.kbit_per_s,
        ] {
            body.extend_from_slice(&n.to_be_bytes());
        }
        for n in [self.buffer_ms, self.delay_ms, self.decode_queue, self.freezes] {
            body.extend_from_slice(&n.to_be_bytes());
        }
        Message::new(types::REPORT, body)
    }

    /// Reads a body; `None` when it is cut short. Later versions may be longer.
    pub fn decode(body: &[u8]) -> Option<Report> {
        let mut r = Bytes::new(body);
        Some(Report {
            video_seq_max: r.u32()?,
            video_received: r.u32()?,
            video_lost: r.u32()?,
            audio_received: r.u32()?,
            audio_lost: r.u32()?,
            kbit_per_s: r.u32()?,
            buffer_ms: r.u16()?,
            delay_ms: r.u16()?,
            decode_queue: r.u16()?,
            freezes: r.u16()?,
        })
    }
}

/// A question about the clock: number, and when it is asked.
pub fn clock_request(id: u32, asked_us: u64) -> Message {
    let mut body = id.to_be_bytes().to_vec();
    body.extend_from_slice(&asked_us.to_be_bytes());
    Message::new(types::CLOCK_REQUEST, body)
}

/// Reads a question about the clock.
pub fn decode_clock_request(body: &[u8]) -> Option<(u32, u64)> {
    let mut r = Bytes::new(body);
    Some((r.u32()?, r.array().map(u64::from_be_bytes)?))
}

impl ClockResponse {
    /// As a message.
    pub fn to_message(self) -> Message {
        let mut body = self.id.to_be_bytes().to_vec();
        for at in [self.asked_us, self.came_us, self.answered_us] {
            body.extend_from_slice(&at.to_be_bytes());
        }
        Message::new(types::CLOCK_RESPONSE, body)
    }

    /// Reads a body; `None` when it is cut short.
    pub fn decode(body: &[u8]) -> Option<ClockResponse> {
        let mut r = Bytes::new(body);
        let id = r.u32()?;
        let mut at = || r.array().map(u64::from_be_bytes);
        Some(ClockResponse { id, asked_us: at()?, came_us: at()?, answered_us: at()? })
    }
}

impl ServerStat {
    /// As a message.
    pub fn to_message(self) -> Message {
        let mut body = Vec::with_capacity(24);
        for n in [self.srtt_us, self.min_rtt_us, self.cwnd, self.packets_lost, self.frames_dropped]
        {
            body.extend_from_slice(&n.to_be_bytes());
        }
        for n in [self.viewers, u16::from(self.gated)] {
            body.extend_from_slice(&n.to_be_bytes());
        }
        Message::new(types::SERVER_STAT, body)
    }

    /// Reads a body; `None` when it is cut short.
    pub fn decode(body: &[u8]) -> Option<ServerStat> {
        let mut r = Bytes::new(body);
        Some(ServerStat {
            srtt_us: r.u32()?,
            min_rtt_us: r.u32()?,
            cwnd: r.u32()?,
            packets_lost: r.u32()?,
            frames_dropped: r.u32()?,
            viewers: r.u16()?,
            gated: r.u16()? != 0,
        })
    }
}

/// Longest body of a control message.
pub const BODY_BYTES_MAX: usize = 65_536;
const HEADER_BYTES: usize = 12;
const MAGIC: &[u8; 4] = b"RTMU";
const FLAG_CONFIG: u8 = 1 << 1;

//! Streams of media: a header and the body of one RTMP message, then the stream's end; or the burst
//! that a viewer starts with (section 4).
//!
//! ```text
//!  0  kind           8 sound, 9 pictures, 18 data, 0x7F burst
//!  1  flags          b0 KEY, b2 DISPOSABLE, b3 START, b4 CATCHUP, b5 INGEST valid,
//!                    b6-b7 how many DISPOSABLE come right before this one, 0 to 3
//!  2  track
//!  3  cfg            generation of the configuration that this needs
//!  4  seq:32         of the kind and track, from 1
//!  8  gop:32         of pictures: seq of the key frame they depend on
//! 12  timestamp:32   ms, decoding time
//! 16  ingest:64      microseconds since 1970 at the server the stream came to
//! 24  body
//!
//! burst: 0x7F, then repeated | length:32 | header | body |
//! ```

use bytes::Bytes;

use crate::bytes::Reader;
use crate::error::{Error, Misbehaved};
use crate::media::Kind;

/// What stands before the body of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Sound, pictures or data.
    pub kind: Kind,
    /// What is said with single bits.
    pub flags: Flags,
    /// Track.
    pub track: u8,
    /// Generation of the configuration that the body needs; 0 for none.
    pub cfg: u8,
    /// Number in its kind and track, counted before anything is given up.
    pub seq: u32,
    /// Of a picture: number of the key frame it depends on, its own if it is one; else 0.
    pub gop: u32,
    /// RTMP timestamp, ms.
    pub timestamp: u32,
    /// When the stream's server got it, microseconds since 1970; `None` where nobody knows.
    pub ingest_us: Option<u64>,
}

/// The bits of a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// A decoder can begin here.
    pub key: bool,
    /// No other picture refers to this one.
    pub disposable: bool,
    /// The decoder has to begin anew.
    pub start: bool,
    /// To be decoded, not to be shown.
    pub catchup: bool,
    /// How many disposable pictures come right before this one, 3 at most: those that are missing
    /// are missed by nobody.
    pub after_disposable: u8,
}

impl Header {
    /// Its length.
    pub const BYTES: usize = 24;

    /// As it stands on the wire.
    pub fn encode(&self) -> [u8; Header::BYTES] {
        let mut out = [0; Header::BYTES];
        let fields: [&[u8]; 5] = [
            &[self.kind as u8, self.flags.to_bits(self.ingest_us.is_some()), self.track, self.cfg],
            &self.seq.to_be_bytes(),
            &self.gop.to_be_bytes(),
            &self.timestamp.to_be_bytes(),
            &self.ingest_us.unwrap_or_default().to_be_bytes(),
        ];
        for (to, from) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Misbehaved::MediaHeader`] when its kind is unknown, or its numbers cannot be.
    pub fn decode(bytes: &[u8; Header::BYTES]) -> Result<Header, Error> {
        Header::read(&mut Reader::new(bytes)).ok_or_else(|| Misbehaved::MediaHeader.into())
    }

    fn read(r: &mut Reader<'_>) -> Option<Header> {
        let [kind, bits, track, cfg] = r.array()?;
        let kind = Kind::from_type(kind)?;
        let (seq, gop, timestamp) = (r.u32()?, r.u32()?, r.u32()?);
        let ingest = r.array().map(u64::from_be_bytes)?;
        let flags = Flags::from_bits(bits);
        let ingest_us = (bits & INGEST != 0).then_some(ingest);
        let header = Header { kind, flags, track, cfg, seq, gop, timestamp, ingest_us };
        header.is_possible().then_some(header)
    }

    /// A key frame is its own GOP; other pictures depend on one before them; nothing else has any.
    fn is_possible(&self) -> bool {
        let depends_on = self.seq.wrapping_sub(self.gop);
        match self.kind {
            Kind::Video if self.flags.key => depends_on == 0,
            Kind::Video => (1..GOP_FRAMES_MAX).contains(&depends_on),
            Kind::Audio | Kind::Data => !self.flags.key,
        }
    }
}

impl Flags {
    fn to_bits(self, ingest: bool) -> u8 {
        let bits = [
            (self.key, KEY),
            (self.disposable, DISPOSABLE),
            (self.start, START),
            (self.catchup, CATCHUP),
            (ingest, INGEST),
        ];
        let set: u8 = bits.iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum();
        set | self.after_disposable.min(3) << AFTER_SHIFT
    }

    fn from_bits(bits: u8) -> Flags {
        Flags {
            key: bits & KEY != 0,
            disposable: bits & DISPOSABLE != 0,
            start: bits & START != 0,
            catchup: bits & CATCHUP != 0,
            after_disposable: bits >> AFTER_SHIFT,
        }
    }
}

/// What stands before a body in a burst: its length, and the header. The burst itself begins with
/// [`BURST`].
pub fn burst_head(header: &Header, body_len: usize) -> [u8; LENGTH_BYTES + Header::BYTES] {
    let mut out = [0; LENGTH_BYTES + Header::BYTES];
    let (length, rest) = out.split_at_mut(LENGTH_BYTES);
    length.copy_from_slice(&((Header::BYTES + body_len) as u32).to_be_bytes());
    rest.copy_from_slice(&header.encode());
    out
}

/// Takes a stream of media apart, however it is cut: one message, or a burst of them.
///
/// Keeps what has come of the message that is not whole, and nothing that is only announced.
#[derive(Debug)]
pub struct StreamReader {
    body_bytes_max: usize,
    shape: Option<Shape>,
    begun: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Single,
    Burst,
}

impl StreamReader {
    /// A reader for bodies of at most so many bytes.
    pub fn new(body_bytes_max: usize) -> Self {
        StreamReader { body_bytes_max, shape: None, begun: Vec::new() }
    }

    /// The next whole message of a burst. A single message is whole when its stream ends:
    /// [`finish`](Self::finish) answers it.
    ///
    /// # Errors
    /// [`Misbehaved`], as soon as it shows: a header that cannot be, or a length over the limit.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<(Header, Bytes)>, Error> {
        let Some(shape) = self.shape(input) else { return Ok(None) };
        match shape {
            Shape::Single => {
                self.take(input.len(), input);
                self.check_header(0)?;
                self.check(self.begun.len().saturating_sub(Header::BYTES))?;
                Ok(None)
            }
            Shape::Burst => self.read_burst(input),
        }
    }

    /// Ends the stream, and answers its message if it was a single one.
    ///
    /// # Errors
    /// [`Misbehaved::MediaCut`] when it ends in the middle of a header or of a burst's message.
    pub fn finish(self) -> Result<Option<(Header, Bytes)>, Error> {
        match self.shape {
            Some(Shape::Single) => split(trimmed(self.begun)).map(Some),
            Some(Shape::Burst) if self.begun.is_empty() => Ok(None),
            _ => Err(Misbehaved::MediaCut.into()),
        }
    }

    /// The header of a single message, once it has come.
    pub fn header(&self) -> Option<Header> {
        let bytes = self.begun.first_chunk().filter(|_| self.shape == Some(Shape::Single))?;
        Header::decode(bytes).ok()
    }

    /// Bytes kept.
    pub fn held_bytes(&self) -> usize {
        self.begun.capacity()
    }

    fn shape(&mut self, input: &mut &[u8]) -> Option<Shape> {
        if self.shape.is_none() {
            let first = *input.first()?;
            let shape = if first == BURST { Shape::Burst } else { Shape::Single };
            if shape == Shape::Burst {
                *input = &input[1..];
            }
            self.shape = Some(shape);
        }
        self.shape
    }

    fn read_burst(&mut self, input: &mut &[u8]) -> Result<Option<(Header, Bytes)>, Error> {
        self.take(LENGTH_BYTES.saturating_sub(self.begun.len()), input);
        let Some(len) = Reader::new(&self.begun).u32() else { return Ok(None) };
        let body_len = (len as usize).checked_sub(Header::BYTES).ok_or(Misbehaved::MediaHeader)?;
        self.check(body_len)?;
        self.take((LENGTH_BYTES + len as usize).saturating_sub(self.begun.len()), input);
        self.check_header(LENGTH_BYTES)?;
        if self.begun.len() < LENGTH_BYTES + len as usize {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.begun);
        split(trimmed(whole).slice(LENGTH_BYTES..)).map(Some)
    }

    fn take(&mut self, n: usize, input: &mut &[u8]) {
        let (take, rest) = input.split_at(n.min(input.len()));
        self.begun.extend_from_slice(take);
        *input = rest;
    }

    /// Once a header has come, it has to be one.
    fn check_header(&self, at: usize) -> Result<(), Error> {
        let header = self.begun.get(at..).and_then(|bytes| bytes.first_chunk());
        header.map_or(Ok(()), |header| Header::decode(header).map(drop))
    }

    fn check(&self, len: usize) -> Result<(), Error> {
        let max = self.body_bytes_max;
        if len > max { Err(Misbehaved::MessageTooLong { len, max }.into()) } else { Ok(()) }
    }
}

/// What is kept takes no more room than it has bytes.
fn trimmed(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes.into_boxed_slice())
}

fn split(mut bytes: Bytes) -> Result<(Header, Bytes), Error> {
    let header = *bytes.first_chunk::<{ Header::BYTES }>().ok_or(Misbehaved::MediaCut)?;
    let header = Header::decode(&header)?;
    Ok((header, bytes.split_off(Header::BYTES)))
}

/// First byte of a burst.
pub const BURST: u8 = 0x7F;
/// Pictures that depend on one key frame: 30 000 are four minutes at 120 a second.
pub(super) const GOP_FRAMES_MAX: u32 = 30_000;
const LENGTH_BYTES: usize = 4;
const KEY: u8 = 1 << 0;
const DISPOSABLE: u8 = 1 << 2;
const START: u8 = 1 << 3;
const CATCHUP: u8 = 1 << 4;
const INGEST: u8 = 1 << 5;
const AFTER_SHIFT: u8 = 6;

//! HOT PATH. Chunks to messages and back (RTMP 1.0 section 5.3).
//!
//! Budget, reading: one copy of the payload, into a buffer that grows only as bytes arrive.
//! Budget, writing: one header of 12 or 16 bytes a message, one or five a further chunk.
//!
//! ```text
//! basic header     | format:2 | chunk stream id:6 |   0: id - 64 in one more byte, 1: in two
//! format 0         | timestamp:24 | length:24 | type:8 | message stream id:32 little-endian |
//! format 1         | delta:24     | length:24 | type:8 |
//! format 2         | delta:24     |
//! format 3         nothing: the message goes on, or a new one is like the last
//! extended         | timestamp or delta:32 |   when the 24 bits above are all ones
//! ```

use crate::bytes;
use crate::error::{Error, Misbehaved};

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Message type id (section 6, 7.1).
    pub message_type: u8,
    /// Message stream id: 0 is the connection itself.
    pub stream_id: u32,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp: u32,
    /// The body.
    pub payload: Vec<u8>,
}

/// Puts messages together from a peer's chunks.
///
/// Set Chunk Size and Abort Message are obeyed here and not handed out.
#[derive(Debug)]
pub struct Reader {
    chunk_bytes: usize,
    bytes_max: usize,
    unfinished_bytes: usize,
    /// What is allocated for them.
    reserved_bytes: usize,
    streams: Vec<Stream>,
    head: Head,
    /// The chunk whose payload is being read: index of its stream, bytes left.
    open: Option<(usize, usize)>,
    /// Bytes taken for an extended timestamp that turned out to be payload.
    given_back: Head,
}

/// What one chunk stream remembers.
#[derive(Debug, Default)]
struct Stream {
    id: u32,
    timestamp: u32,
    delta: u32,
    /// The extended field of the last header that had room for one.
    extended: Option<u32>,
    len: usize,
    message_type: u8,
    stream_id: u32,
    payload: Vec<u8>,
    unfinished: bool,
}

impl Reader {
    /// A reader at the start of a connection. Neither one message nor the unfinished messages of
    /// all chunk streams together may exceed `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Reader {
            chunk_bytes: CHUNK_BYTES_AT_FIRST,
            bytes_max,
            unfinished_bytes: 0,
            reserved_bytes: 0,
            streams: Vec::new(),
            head: Head::default(),
            open: None,
            given_back: Head::default(),
        }
    }

    /// Changes the bound for messages that begin from now on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Bytes allocated for messages that are not whole, at most twice the bound for the messages.
    pub fn reserved_bytes(&self) -> usize {
        self.reserved_bytes
    }

    /// Takes bytes off `input` until a message is whole or the bytes are used up.
    ///
    /// # Errors
    /// [`Misbehaved`] when the chunks contradict themselves or break a bound.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        let mut source = Source { held: std::mem::take(&mut self.given_back), rest: input };
        let message = self.read_from(&mut source);
        self.given_back = source.held;
        message
    }

    fn read_from(&mut self, input: &mut Source<'_, '_>) -> Result<Option<Message>, Error> {
        loop {
            if self.open.is_none() {
                self.open = self.chunk_header(input)?;
            }
            let Some((index, left)) = self.open else {
                return Ok(None);
            };
            if let Some(message) = self.chunk_payload(index, left, input)? {
                return Ok(Some(message));
            }
            if self.open.is_some() {
                return Ok(None);
            }
        }
    }

    /// Largest payload of a chunk, as the peer has announced it; of more than a message it is that.
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Reads up to the payload of the next chunk; `None` when the bytes ran out before it.
    fn chunk_header(
        &mut self,
        input: &mut Source<'_, '_>,
    ) -> Result<Option<(usize, usize)>, Error> {
        if !input.fill(&mut self.head, 1) {
            return Ok(None);
        }
        let basic = match self.head.bytes[0] & 0x3f {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        let format = self.head.bytes[0] >> 6;
        let fields = basic + [11, 7, 3, 0][usize::from(format)];
        if !input.fill(&mut self.head, fields) {
            return Ok(None);
        }
        let index = self.stream_index(basic, format)?;
        let mut extended = None;
        if format == 3 {
            if let Some(sent) = self.streams[index].extended
                && !self.skip_repeated(sent, fields, input)
            {
                return Ok(None);
            }
        } else if self.head.bytes[basic..basic + 3] == [0xff; 3] {
            if !input.fill(&mut self.head, fields + 4) {
                return Ok(None);
            }
            extended = bytes::Reader::new(&self.head.bytes[fields..]).u32();
        }
        self.streams[index].begin(format, &self.head.bytes[basic..fields], extended)?;
        self.head.len = 0;
        let stream = &self.streams[index];
        if stream.len > self.bytes_max {
            let (len, max) = (stream.len, self.bytes_max);
            return Err(Misbehaved::MessageTooLong { len, max }.into());
        }
        let left = (stream.len - stream.payload.len()).min(self.chunk_bytes);
        Ok(Some((index, left)))
    }

    /// Format-3 chunks repeat the extended timestamp in one dialect and omit it in the other, and
    /// nothing says which is spoken; so the bytes decide. Payload that looks like the repeated
    /// field is one chance in 2^32. Answers false while the bytes so far could be either.
    fn skip_repeated(&mut self, sent: u32, fields: usize, input: &mut Source<'_, '_>) -> bool {
        let sent = sent.to_be_bytes();
        loop {
            let seen = &self.head.bytes[fields..self.head.len];
            if !sent.starts_with(seen) {
                input.give_back(seen);
                return true;
            }
            if seen.len() == sent.len() {
                return true;
            }
            let want = self.head.len + 1;
            if !input.fill(&mut self.head, want) {
                return false;
            }
        }
    }

    fn stream_index(&mut self, basic: usize, format: u8) -> Result<usize, Error> {
        let b = &self.head.bytes;
        let id = match basic {
            1 => u32::from(b[0] & 0x3f),
            2 => 64 + u32::from(b[1]),
            _ => 64 + u32::from(b[1]) + (u32::from(b[2]) << 8),
        };
        if let Some(i) = self.streams.iter().position(|s| s.id == id) {
            return Ok(i);
        }
        if format != 0 && format != 1 {
            return Err(Misbehaved::NothingToContinue(id).into());
        }
        if self.streams.len() == CHUNK_STREAMS_MAX {
            return Err(Misbehaved::TooManyChunkStreams(CHUNK_STREAMS_MAX).into());
        }
        self.streams.push(Stream { id, ..Stream::default() });
        Ok(self.streams.len() - 1)
    }

    fn chunk_payload(
        &mut self,
        index: usize,
        mut left: usize,
        input: &mut Source<'_, '_>,
    ) -> Result<Option<Message>, Error> {
        let mut held = std::mem::take(&mut input.held);
        let now = held.take_front(left);
        left -= now.len;
        let at_hand = now.len + input.rest.len();
        self.append(index, now.bytes(), at_hand)?;
        input.held = held;
        let (now, later) = input.rest.split_at(left.min(input.rest.len()));
        left -= now.len();
        self.append(index, now, at_hand)?;
        *input.rest = later;

        self.open = (left > 0).then_some((index, left));
        if self.streams[index].payload.len() < self.streams[index].len {
            return Ok(None);
        }
        let message = self.streams[index].finish();
        self.unfinished_bytes -= message.payload.len();
        self.reserved_bytes -= message.payload.capacity();
        match message.message_type {
            SET_CHUNK_SIZE => self.set_chunk_bytes(&message.payload).map(|()| None),
            ABORT => self.abort(&message.payload).map(|()| None),
            _ => Ok(Some(message)),
        }
    }

    fn append(&mut self, index: usize, bytes: &[u8], at_hand: usize) -> Result<(), Error> {
        self.unfinished_bytes += bytes.len();
        if self.unfinished_bytes > self.bytes_max {
            return Err(Misbehaved::TooManyUnfinished(self.bytes_max).into());
        }
        let stream = &mut self.streams[index];
        let before = stream.payload.capacity();
        // Room for the rest of the message is made only within the bound for all of them.
        let spare = self.bytes_max.saturating_sub(self.reserved_bytes);
        stream.append(bytes, at_hand, spare);
        self.reserved_bytes += stream.payload.capacity() - before;
        Ok(())
    }

    fn set_chunk_bytes(&mut self, payload: &[u8]) -> Result<(), Error> {
        let size =
            bytes::Reader::new(payload).u32().ok_or(Misbehaved::ControlTooShort(SET_CHUNK_SIZE))?;
        let wrong = Misbehaved::ChunkSize(size, CHUNK_BYTES_MIN);
        if size < CHUNK_BYTES_MIN || size > i32::MAX as u32 {
            return Err(wrong.into());
        }
        // Nothing is allocated by chunk size, so two gigabytes mean no more than "whole messages".
        self.chunk_bytes = (size as usize).min(MESSAGE_BYTES_MAX);
        Ok(())
    }

    fn abort(&mut self, payload: &[u8]) -> Result<(), Error> {
        let id = bytes::Reader::new(payload).u32().ok_or(Misbehaved::ControlTooShort(ABORT))?;
        if let Some(stream) = self.streams.iter_mut().find(|s| s.id == id) {
            self.unfinished_bytes -= stream.payload.len();
            self.reserved_bytes -= stream.payload.capacity();
            stream.payload = Vec::new();
            stream.unfinished = false;
        }
        Ok(())
    }
}

impl Stream {
    /// Takes in the fields of a chunk header: those of `format`, and the extended timestamp.
    fn begin(&mut self, format: u8, fields: &[u8], extended: Option<u32>) -> Result<(), Error> {
        let r = &mut bytes::Reader::new(fields);
        if format == 3 {
            if !self.unfinished {
                self.timestamp = self.timestamp.wrapping_add(self.delta);
                self.unfinished = true;
            }
            return Ok(());
        }
        if self.unfinished && !self.payload.is_empty() {
            return Err(Misbehaved::MessageNotWhole(self.id).into());
        }
        let time = r.u24().unwrap_or_default();
        let time = extended.unwrap_or(time);
        if format < 2 {
            self.len = r.u24().unwrap_or_default() as usize;
            self.message_type = r.u8().unwrap_or_default();
        }
        if format == 0 {
            self.stream_id = r.u32_le().unwrap_or_default();
            self.timestamp = time;
            // The specification lets a type 3 that follows repeat the absolute time as a delta;
            // every encoder that sends one means "the same moment".
            self.delta = 0;
        } else {
            self.timestamp = self.timestamp.wrapping_add(time);
            self.delta = time;
        }
        self.extended = extended;
        self.unfinished = true;
        Ok(())
    }

    /// Grows by what is at hand, most of which is this message's, or doubles, as far as there is
    /// room to spare; never past the announced length.
    fn append(&mut self, bytes: &[u8], at_hand: usize, spare: usize) {
        let have = self.payload.len();
        if self.payload.capacity() - have < bytes.len() {
            let wish = at_hand.max(have).min(spare);
            self.payload.reserve_exact(wish.max(bytes.len()).min(self.len - have));
        }
        self.payload.extend_from_slice(bytes);
    }

    fn finish(&mut self) -> Message {
        self.unfinished = false;
        Message {
            message_type: self.message_type,
            stream_id: self.stream_id,
            timestamp: self.timestamp,
            payload: std::mem::take(&mut self.payload),
        }
    }
}

/// A few header bytes, gathered over as many reads as it takes.
#[derive(Debug, Default, Clone, Copy)]
struct Head {
    bytes: [u8; HEADER_BYTES_MAX],
    len: usize,
}

impl Head {
    fn of(bytes: &[u8]) -> Head {
        let mut head = Head { len: bytes.len(), ..Head::default() };
        head.bytes[..bytes.len()].copy_from_slice(bytes);
        head
    }

    /// Splits off at most `n` bytes from the front.
    fn take_front(&mut self, n: usize) -> Head {
        let (front, back) = self.bytes().split_at(n.min(self.len));
        let (front, back) = (Head::of(front), Head::of(back));
        *self = back;
        front
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The bytes to read next: first those given back, then the caller's.
struct Source<'a, 'i> {
    held: Head,
    rest: &'a mut &'i [u8],
}

impl Source<'_, '_> {
    /// Moves bytes into `head` until it has `want`; false when there are too few.
    fn fill(&mut self, head: &mut Head, want: usize) -> bool {
        let held = self.held.take_front(want.saturating_sub(head.len));
        let (now, later) =
            self.rest.split_at(want.saturating_sub(head.len + held.len).min(self.rest.len()));
        for part in [held.bytes(), now] {
            head.bytes[head.len..head.len + part.len()].copy_from_slice(part);
            head.len += part.len();
        }
        *self.rest = later;
        head.len >= want
    }

    /// Puts at most four bytes back in front.
    fn give_back(&mut self, bytes: &[u8]) {
        let mut held = Head::of(bytes);
        let after = self.held.bytes();
        held.bytes[held.len..held.len + after.len()].copy_from_slice(after);
        held.len += after.len();
        self.held = held;
    }
}

/// The header of an outgoing message: always format 0, so that it reads the same to everyone,
/// whatever was sent to them before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Chunk stream id, 2 to 63.
    pub chunk_stream_id: u8,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp: u32,
    /// Length of the body, at most 2^24 - 1.
    pub message_bytes: u32,
    /// Message type id.
    pub message_type: u8,
    /// Message stream id.
    pub stream_id: u32,
}

impl Header {
    /// The bytes before the first chunk's payload.
    pub fn encode(&self) -> HeaderBytes {
        let extended = self.timestamp >= EXTENDED;
        let short = if extended { EXTENDED } else { self.timestamp };
        let mut out = HeaderBytes::default();
        out.push(&[self.chunk_stream_id]);
        out.push(&short.to_be_bytes()[1..]);
        out.push(&self.message_bytes.to_be_bytes()[1..]);
        out.push(&[self.message_type]);
        out.push(&self.stream_id.to_le_bytes());
        if extended {
            out.push(&self.timestamp.to_be_bytes());
        }
        out
    }

    /// The bytes before each further chunk: format 3, with the extended timestamp repeated, as
    /// section 5.3.1.3 asks and ffmpeg, librtmp and Flash expect.
    pub fn encode_continuation(&self) -> HeaderBytes {
        let mut out = HeaderBytes::default();
        out.push(&[0xc0 | self.chunk_stream_id]);
        if self.timestamp >= EXTENDED {
            out.push(&self.timestamp.to_be_bytes());
        }
        out
    }

    /// Appends the whole message in chunks of `chunk_bytes`.
    pub fn write(&self, chunk_bytes: usize, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.encode().as_ref());
        let mut chunks = payload.chunks(chunk_bytes);
        out.extend_from_slice(chunks.next().unwrap_or_default());
        for chunk in chunks {
            out.extend_from_slice(self.encode_continuation().as_ref());
            out.extend_from_slice(chunk);
        }
    }
}

/// An encoded header, on the stack.
#[derive(Debug, Default, Clone, Copy)]
pub struct HeaderBytes {
    bytes: [u8; 16],
    len: usize,
}

impl HeaderBytes {
    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

impl AsRef<[u8]> for HeaderBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Chunk size of both directions until someone says otherwise (section 5.4.1).
pub const CHUNK_BYTES_AT_FIRST: usize = 128;
/// Chunk size of what we send. Most frames then travel in one chunk; players of every kind have
/// met it for years, because it is what SRS sends.
pub const CHUNK_BYTES_OUT: usize = 60_000;
/// A length is 24 bits.
pub const MESSAGE_BYTES_MAX: usize = 0xff_ffff;
/// The least chunk size a peer may set: smaller ones only make the reader spin.
const CHUNK_BYTES_MIN: u32 = 128;
/// Encoders use three to eight; at some 100 bytes each this is 6 KiB a connection.
const CHUNK_STREAMS_MAX: usize = 64;
/// Three of basic header, eleven of fields, four of extended timestamp.
const HEADER_BYTES_MAX: usize = 18;
const EXTENDED: u32 = 0xff_ffff;
const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;

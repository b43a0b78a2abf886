//! FLV: the file header, tags, and an incremental demuxer (FLV 10.1 annex E).

pub mod body;

use bytes::Bytes;

use crate::bytes::Reader;
use crate::error::{Error, Misbehaved};
use crate::media::{Frame, Kind};
use crate::time::{Unwrapper, to_wire};

/// Reads FLV as it arrives: push bytes, then poll frames.
///
/// Time is unwrapped over the whole file. Script tags named `onMetaData` become configuration, as
/// they do when they come by RTMP.
#[derive(Debug)]
pub struct Demuxer {
    state: State,
    head: Vec<u8>,
    body: Vec<u8>,
    clock: Unwrapper,
    frames: std::collections::VecDeque<Frame>,
    tag_bytes_max: usize,
    /// Bytes taken so far.
    taken: u64,
}

#[derive(Debug)]
enum State {
    FileHeader,
    /// Bytes that a longer file header, or the size of the tag before, still has to say.
    Skip(usize),
    TagHeader,
    Body(TagHeader),
}

impl Demuxer {
    /// A demuxer at the front of a file. A tag announced longer than `tag_bytes_max` is refused.
    pub fn new(tag_bytes_max: usize) -> Self {
        Demuxer {
            state: State::FileHeader,
            head: Vec::new(),
            body: Vec::new(),
            clock: Unwrapper::default(),
            frames: std::collections::VecDeque::new(),
            tag_bytes_max,
            taken: 0,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`Misbehaved`] when the bytes are not FLV or a tag is over the limit; the demuxer is then
    /// of no more use.
    pub fn handle_bytes(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while !input.is_empty() {
            match self.state {
                State::FileHeader => {
                    if self.fill_head(&mut input, FILE_HEADER_BYTES) {
                        self.state = State::Skip(self.file_header()?);
                    }
                }
                State::Skip(left) => {
                    let n = left.min(input.len());
                    self.take(&mut input, n);
                    self.state = if n == left { State::TagHeader } else { State::Skip(left - n) };
                }
                State::TagHeader => {
                    if self.fill_head(&mut input, TAG_HEADER_BYTES) {
                        self.state = self.tag_header()?;
                    }
                }
                State::Body(header) => {
                    let want = header.body_bytes as usize - self.body.len();
                    let part = self.take(&mut input, want);
                    self.body.extend_from_slice(part);
                    if self.body.len() == header.body_bytes as usize {
                        self.finish(header);
                    }
                }
            }
        }
        Ok(())
    }

    /// The next whole frame. Empty bodies and tags that are not media are passed over.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// How many bytes have been taken.
    pub fn position(&self) -> u64 {
        self.taken
    }

    /// Whether the bytes so far end at a tag border, so that a file may end here.
    pub fn is_at_border(&self) -> bool {
        match self.state {
            State::Skip(left) => left <= PREVIOUS_TAG_SIZE_BYTES,
            State::TagHeader => self.head.is_empty(),
            State::FileHeader | State::Body(_) => false,
        }
    }

    fn fill_head(&mut self, input: &mut &[u8], n: usize) -> bool {
        let part = self.take(input, n - self.head.len());
        self.head.extend_from_slice(part);
        self.head.len() == n
    }

    /// Takes at most `n` bytes off the front of `input`.
    fn take<'a>(&mut self, input: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (now, later) = input.split_at(n.min(input.len()));
        *input = later;
        self.taken += now.len() as u64;
        now
    }

    /// Answers how many bytes lie between the header's nine and the first tag.
    fn file_header(&mut self) -> Result<usize, Error> {
        let mut r = Reader::new(&self.head);
        let (signature, offset) = (r.take(3), r.take(2).and_then(|_| r.u32()));
        let extra = offset.and_then(|o| (o as usize).checked_sub(FILE_HEADER_BYTES));
        let ok = signature == Some(b"FLV") && extra.is_some_and(|e| e <= HEADER_EXTRA_BYTES_MAX);
        self.head.clear();
        match extra {
            Some(extra) if ok => Ok(extra + PREVIOUS_TAG_SIZE_BYTES),
            _ => Err(Misbehaved::NotFlv.into()),
        }
    }

    fn tag_header(&mut self) -> Result<State, Error> {
        let at = self.taken - self.head.len() as u64;
        if self.head.starts_with(b"FLV\x01") {
            return Err(Misbehaved::FlvTwice(at).into());
        }
        let is_header = TagHeader::is_plausible(&self.head);
        let header = TagHeader::decode(&self.head).filter(|_| is_header);
        let header = header.ok_or(Misbehaved::FlvDamaged(at))?;
        self.head.clear();
        let len = header.body_bytes as usize;
        if len > self.tag_bytes_max {
            return Err(Misbehaved::MessageTooLong { len, max: self.tag_bytes_max }.into());
        }
        if len == 0 {
            return Ok(State::Skip(PREVIOUS_TAG_SIZE_BYTES));
        }
        Ok(State::Body(header))
    }

    fn finish(&mut self, header: TagHeader) {
        let mut body = std::mem::take(&mut self.body);
        body.shrink_to_fit();
        if let Some(kind) = Kind::from_type(header.tag_type) {
            let dts = self.clock.unwrap(header.timestamp);
            self.frames.push_back(Frame::new(kind, dts, Bytes::from(body)));
        }
        self.state = State::Skip(PREVIOUS_TAG_SIZE_BYTES);
    }
}

/// The header before a tag's body.
///
/// ```text
///  0      type: 8 audio, 9 video, 18 script data (bits 5-7: filter and reserved, zero here)
///  1..4   body length, 24 bits
///  4..7   timestamp, ms, low 24 bits
///  7      timestamp, high 8 bits
///  8..11  stream id, always 0
/// ```
/// FLV 10.1 annex E.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// 8, 9 or 18; others are passed over by the demuxer.
    pub tag_type: u8,
    /// Length of the body, at most 2^24 - 1.
    pub body_bytes: u32,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp: u32,
}

impl TagHeader {
    /// The header of a frame's tag.
    pub fn of(frame: &Frame) -> TagHeader {
        TagHeader {
            tag_type: frame.kind as u8,
            body_bytes: frame.payload.len() as u32,
            timestamp: to_wire(frame.dts),
        }
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> [u8; TAG_HEADER_BYTES] {
        let [_, l0, l1, l2] = self.body_bytes.to_be_bytes();
        let [t3, t0, t1, t2] = self.timestamp.to_be_bytes();
        [self.tag_type, l0, l1, l2, t0, t1, t2, t3, 0, 0, 0]
    }

    /// Reads a header; `None` when there are fewer than eleven bytes.
    pub fn decode(bytes: &[u8]) -> Option<TagHeader> {
        let mut r = Reader::new(bytes);
        let tag_type = r.u8()? & 0x1f;
        let body_bytes = r.u24()?;
        let (low, high) = (r.u24()?, r.u8()?);
        r.u24()?;
        Some(TagHeader { tag_type, body_bytes, timestamp: u32::from(high) << 24 | low })
    }

    /// Whether the bits that are always zero are: what is not a header mostly has others.
    fn is_plausible(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|b| b & 0xc0 == 0) && bytes.get(8..11) == Some(&[0; 3])
    }

    /// The four bytes after the body: the whole tag's length.
    pub fn trailer(&self) -> [u8; PREVIOUS_TAG_SIZE_BYTES] {
        (TAG_HEADER_BYTES as u32).wrapping_add(self.body_bytes).to_be_bytes()
    }
}

/// Appends one frame as a tag, its trailing size included.
pub fn write_tag(out: &mut Vec<u8>, frame: &Frame) {
    let header = TagHeader::of(frame);
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(&frame.payload);
    out.extend_from_slice(&header.trailer());
}

/// Bytes of a frame's tag, its trailing size included.
pub fn tag_bytes(frame: &Frame) -> usize {
    TAG_HEADER_BYTES + frame.payload.len() + PREVIOUS_TAG_SIZE_BYTES
}

/// The head of a file: nine bytes and the first, empty, previous-tag size (annex E.2, E.3).
///
/// Some players wait for every kind of media the flags announce, so they should be true.
pub fn file_header(audio: bool, video: bool) -> [u8; FILE_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, FILE_HEADER_BYTES as u8, 0, 0, 0, 0]
}

/// Bytes of a tag's header.
pub const TAG_HEADER_BYTES: usize = 11;
/// Bytes of the size that follows each tag.
pub const PREVIOUS_TAG_SIZE_BYTES: usize = 4;
const FILE_HEADER_BYTES: usize = 9;
/// A file header may announce extra bytes; no known writer does, and 64 KiB would be a joke.
const HEADER_EXTRA_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, dts: i64, body: &[u8]) -> Frame {
        Frame::new(kind, dts, Bytes::copy_from_slice(body))
    }

    #[test]
    fn what_is_written_is_read_at_every_cut() {
        let frames = [
            frame(Kind::Video, 0, &[0x17, 0, 0, 0, 0, 1]),
            frame(Kind::Audio, 23, &[0xaf, 1, 7]),
            frame(Kind::Video, 0x0123_4567, &[0x27, 1, 0, 0, 0, 5, 6, 7]),
        ];
        let mut file = file_header(true, true).to_vec();
        for f in &frames {
            write_tag(&mut file, f);
        }
        for step in 1..file.len() {
            let mut d = Demuxer::new(1 << 20);
            for part in file.chunks(step) {
                d.handle_bytes(part).unwrap();
            }
            let got: Vec<_> = std::iter::from_fn(|| d.poll_frame()).collect();
            assert_eq!(got, frames, "in parts of {step}");
            assert!(d.is_at_border());
        }
    }

    #[test]
    fn a_timestamp_uses_its_high_byte() {
        let h = TagHeader { tag_type: 9, body_bytes: 3, timestamp: 0xfe01_0203 };
        assert_eq!(h.encode(), [9, 0, 0, 3, 1, 2, 3, 0xfe, 0, 0, 0]);
        assert_eq!(TagHeader::decode(&h.encode()), Some(h));
        assert_eq!(h.trailer(), [0, 0, 0, 14]);
    }

    #[test]
    fn what_is_not_flv_is_refused() {
        for bad in [&b"GIF89a_____"[..], b"FLV\x01\x05\0\0\0\x08\0\0", b"FLV\x01\x05\xff\0\0\x09\0"]
        {
            assert!(Demuxer::new(99).handle_bytes(bad).is_err());
        }
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let mut file = file_header(true, true).to_vec();
        write_tag(&mut file, &frame(Kind::Audio, 0, &[0xaf, 1, 7]));
        let at = file.len() as u64;
        file.extend_from_slice(&[0xa5; 64]);
        let mut d = Demuxer::new(1 << 24);
        assert_eq!(d.handle_bytes(&file), Err(Misbehaved::FlvDamaged(at).into()));
        assert!(d.poll_frame().is_some(), "what came before is whole");
    }

    #[test]
    fn a_file_that_begins_twice_is_told_so() {
        let header = file_header(true, true);
        let mut d = Demuxer::new(100);
        d.handle_bytes(&header).unwrap();
        let at = header.len() as u64;
        assert_eq!(d.handle_bytes(&header), Err(Misbehaved::FlvTwice(at).into()));
    }

    #[test]
    fn a_tag_over_the_limit_is_refused_before_its_bytes_come() {
        let mut d = Demuxer::new(100);
        d.handle_bytes(&file_header(true, true)).unwrap();
        let head = TagHeader { tag_type: 9, body_bytes: 101, timestamp: 0 }.encode();
        assert!(d.handle_bytes(&head).is_err());
    }
}

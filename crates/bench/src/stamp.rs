//! Stamps in frames: when a frame left, its number, and a hash of the rest of its tag.
//!
//! In a picture, an SEI NAL unit (ITU-T H.264, D.1.7, user data unregistered) stands before its own:
//!
//! ```text
//! length:32 | 06 | 05 | size: 40 | uuid: 16 bytes | number:16 | ns:16 | hash:16, as hex | 80
//! ```
//!
//! Sound that is made for it has nothing else in it: a data stream element (ISO/IEC 14496-3, 4.4.2.5)
//! that holds the same from `uuid` to `hash`, then filling, and an end.
//!
//! Hexadecimal text holds no start code, so servers that take NAL units apart keep it as it is.

use bytes::Bytes;
use thalweg_wire::flv::body;
use thalweg_wire::media::{Frame, Kind};

/// What a stamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Number of the frame among its kind, from 0.
    pub(crate) number: u64,
    /// When it left, ns on the machine's monotonic clock.
    pub(crate) ns: u64,
    hash: u64,
}

/// Stamps a picture and pads it to so many bytes, with a NAL unit that decoders skip (type 12).
/// Answers anything else as it is.
pub(crate) fn stamped(frame: &Frame, number: u64, ns: u64, bytes: usize) -> Frame {
    let Some(header) = picture_header(frame) else {
        return frame.clone();
    };
    let mut rest = frame.payload[header.len()..].to_vec();
    let padding = bytes.saturating_sub(header.len() + NAL_BYTES + rest.len());
    if let Some(body) = padding.checked_sub(FILLER_BYTES_MIN) {
        rest.extend_from_slice(&((body + 2) as u32).to_be_bytes());
        rest.push(FILLER);
        rest.resize(rest.len() + body, 0xff);
        rest.push(0x80);
    }
    let mut payload = Vec::with_capacity(header.len() + NAL_BYTES + rest.len());
    payload.extend_from_slice(header);
    payload.extend_from_slice(&((NAL_BYTES - 4) as u32).to_be_bytes());
    payload.extend_from_slice(&[SEI, USER_DATA, SEI_BYTES as u8]);
    payload.extend_from_slice(&UUID);
    write_numbers(&mut payload, [number, ns, hash(&rest)]);
    payload.push(0x80);
    payload.extend_from_slice(&rest);
    Frame { payload: Bytes::from(payload), ..frame.clone() }
}

/// Stamped sound of so many bytes, 261 to 516: the body of a tag of AAC.
pub(crate) fn sound(number: u64, ns: u64, bytes: usize) -> Bytes {
    // Header, element with a count of two bytes, end.
    let data = bytes.saturating_sub(SOUND_HEADER.len() + 2 + 1).clamp(COUNT_MAX, 2 * COUNT_MAX);
    let mut rest = vec![0xff; data - SEI_BYTES];
    rest.push(AAC_END);
    let mut payload = SOUND_HEADER.to_vec();
    payload.extend_from_slice(&[COUNT_MAX as u8, (data - COUNT_MAX) as u8]);
    payload.extend_from_slice(&UUID);
    write_numbers(&mut payload, [number, ns, hash(&rest)]);
    payload.extend_from_slice(&rest);
    Bytes::from(payload)
}

fn write_numbers(out: &mut Vec<u8>, numbers: [u64; 3]) {
    for n in numbers {
        out.extend_from_slice(format!("{n:016x}").as_bytes());
    }
}

/// The stamp of a frame, if it has one.
pub(crate) fn read(frame: &Frame) -> Option<Stamp> {
    let text = frame.payload.get(stamp_at(frame)?..)?.strip_prefix(&UUID)?;
    let hex = std::str::from_utf8(text.get(..3 * HEX)?).ok()?;
    let number = |i: usize| u64::from_str_radix(hex.get(i * HEX..(i + 1) * HEX)?, 16).ok();
    Some(Stamp { number: number(0)?, ns: number(1)?, hash: number(2)? })
}

impl Stamp {
    /// Whether the rest of the frame is as it was sent.
    pub(crate) fn is_whole(&self, frame: &Frame) -> bool {
        let trailing_bits = usize::from(frame.kind == Kind::Video);
        let rest = stamp_at(frame).map(|at| at + SEI_BYTES + trailing_bits);
        rest.and_then(|at| frame.payload.get(at..)).is_some_and(|rest| hash(rest) == self.hash)
    }
}

/// Where a stamp begins in a frame that can have one.
fn stamp_at(frame: &Frame) -> Option<usize> {
    if frame.kind == Kind::Audio {
        let is_made = frame.payload.starts_with(&SOUND_HEADER);
        return is_made.then_some(SOUND_HEADER.len() + 2);
    }
    let at = picture_header(frame)?.len();
    let unit = [0, 0, 0, (NAL_BYTES - 4) as u8, SEI, USER_DATA, SEI_BYTES as u8];
    frame.payload.get(at..)?.starts_with(&unit).then_some(at + unit.len())
}

/// The bytes before the NAL units of an H.264 picture.
fn picture_header(frame: &Frame) -> Option<&[u8]> {
    let class = body::video(&frame.payload);
    let is_picture = frame.kind == Kind::Video
        && !frame.config
        && class.codec == Some(thalweg_wire::codec::Codec::Avc);
    frame.payload.get(..class.data_at).filter(|_| is_picture)
}

/// FNV-1a, of 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

/// AAC and no sequence header; then the element, whose data are whole bytes.
const SOUND_HEADER: [u8; 3] = [0xaf, 0x01, 0b1000_0001];
const AAC_END: u8 = 0b1110_0000;
/// Of a data stream element, before a second count.
const COUNT_MAX: usize = 255;
const SEI: u8 = 6;
const USER_DATA: u8 = 5;
const FILLER: u8 = 12;
const UUID: [u8; 16] = *b"thalweg-bench\0\x01\x01";
const HEX: usize = 16;
const SEI_BYTES: usize = UUID.len() + 3 * HEX;
/// Length, type, payload type and size, payload, trailing bits.
const NAL_BYTES: usize = 4 + 3 + SEI_BYTES + 1;
/// Length, type, trailing bits.
const FILLER_BYTES_MIN: usize = 4 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Frame {
        Frame::new(Kind::Video, 40, Bytes::from_static(b"\x27\x01\0\0\0\0\0\0\x03\x41\x9a\x02"))
    }

    #[test]
    fn what_is_stamped_can_be_read() {
        let frame = stamped(&picture(), 7, 1 << 40, 2000);
        assert_eq!((frame.payload.len(), frame.dts, frame.key), (2000, 40, false));
        let stamp = read(&frame).expect("a stamp");
        assert_eq!((stamp.number, stamp.ns, stamp.is_whole(&frame)), (7, 1 << 40, true));
        let mut changed = frame.payload.to_vec();
        changed[1000] ^= 1;
        assert!(!stamp.is_whole(&Frame { payload: changed.into(), ..frame }));
    }

    #[test]
    fn sound_has_a_stamp_too() {
        let frame = Frame::new(Kind::Audio, 40, sound(9, 1 << 40, 372));
        assert_eq!((frame.payload.len(), frame.config), (372, false));
        let stamp = read(&frame).expect("a stamp");
        assert_eq!((stamp.number, stamp.ns, stamp.is_whole(&frame)), (9, 1 << 40, true));
        let mut changed = frame.payload.to_vec();
        changed[371] ^= 1;
        assert!(!stamp.is_whole(&Frame { payload: changed.into(), ..frame }));
    }

    #[test]
    fn other_frames_are_left_as_they_are() {
        let sound = Frame::new(Kind::Audio, 0, Bytes::from_static(b"\xaf\x01abc"));
        assert_eq!(stamped(&sound, 1, 1, 1000).payload, sound.payload);
        assert_eq!(read(&sound), None);
        assert_eq!(read(&picture()), None);
    }
}

//! WebSocket frames, as a server reads and writes them (RFC 6455, section 5).
//!
//! ```text
//! fin:1 0:3 opcode:4 | masked:1 length:7 | length:16 if 126, :64 if 127 | mask:32 if masked | payload
//! ```
//!
//! What a server writes is not masked, so that one frame is the same bytes for everyone. What it
//! reads is unmasked in place and handed on piece by piece: a frame is never gathered, whatever
//! length it says it has.

use crate::error::Misbehaved;

/// What a client sends, piece by piece.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// The header so far, then the payload of a control frame.
    gathered: Vec<u8>,
    /// Whether a message has begun and not ended.
    in_message: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    Payload(Payload),
}

#[derive(Debug, Clone, Copy)]
struct Payload {
    opcode: u8,
    left: u64,
    mask: [u8; 4],
    /// Where in the mask the next byte is.
    phase: usize,
}

/// Something that has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes of a binary message. Where one message ends and another begins is not told.
    Data(&'a [u8]),
    /// A question whether we are there; [`pong`] answers it.
    Ping(Vec<u8>),
    /// An answer to a question of ours, or to none.
    Pong,
    /// The client closes, with a code if it gave one.
    Close(Option<u16>),
}

impl Reader {
    /// The next piece off the front of `input`, which is unmasked as it is taken; `None` when all of
    /// it has been taken.
    ///
    /// # Errors
    /// [`Misbehaved::WebSocket`], after which the reader is of no more use; [`Flaw::close_code`] says how
    /// to close.
    pub fn next<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Piece<'a>>, Misbehaved> {
        while !input.is_empty() {
            match self.state {
                State::Header => self.header(input)?,
                State::Payload(payload) => {
                    let taken = take(input, usize::try_from(payload.left).unwrap_or(usize::MAX));
                    let payload = unmask(taken, payload);
                    self.state = State::Payload(payload);
                    if payload.opcode < CONTROL {
                        self.end_if_whole(payload);
                        return Ok(Some(Piece::Data(taken)));
                    }
                    self.gathered.extend_from_slice(taken);
                }
            }
            if let State::Payload(payload) = self.state
                && payload.left == 0
            {
                self.end_if_whole(payload);
                if payload.opcode >= CONTROL {
                    return Ok(Some(self.control(payload.opcode)));
                }
            }
        }
        Ok(None)
    }

    fn end_if_whole(&mut self, payload: Payload) {
        if payload.left == 0 {
            self.state = State::Header;
        }
    }

    /// Gathers a header, and goes on to its payload when it is whole.
    fn header(&mut self, input: &mut &mut [u8]) -> Result<(), Misbehaved> {
        let want = |gathered: &[u8]| match gathered {
            [_, second, ..] => match second & 0x7f {
                126 => 2 + 2 + 4,
                127 => 2 + 8 + 4,
                _ => 2 + 4,
            },
            _ => 2,
        };
        while self.gathered.len() < want(&self.gathered) && !input.is_empty() {
            let n = want(&self.gathered) - self.gathered.len();
            self.gathered.extend_from_slice(take(input, n));
            self.check_start()?;
        }
        if self.gathered.len() < want(&self.gathered) {
            return Ok(());
        }
        let (head, mask) = self.gathered.split_at(self.gathered.len() - 4);
        let (opcode, fin) = (head[0] & 0x0f, head[0] & 0x80 != 0);
        let left = match head.get(2..) {
            Some(long @ [_, ..]) => long.iter().fold(0, |n: u64, b| n << 8 | u64::from(*b)),
            _ => u64::from(head[1] & 0x7f),
        };
        if left > FRAME_BYTES_MAX {
            return Err(Misbehaved::WebSocket(Flaw::TooLong(left)));
        }
        if opcode < CONTROL {
            self.in_message = !fin;
        }
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        self.state = State::Payload(Payload { opcode, left, mask, phase: 0 });
        self.gathered.clear();
        Ok(())
    }

    /// Looks at the first two bytes as soon as they are there.
    fn check_start(&self) -> Result<(), Misbehaved> {
        let &[first, second, ..] = self.gathered.as_slice() else { return Ok(()) };
        let (opcode, fin) = (first & 0x0f, first & 0x80 != 0);
        let flaw = if first & 0x70 != 0 {
            Flaw::Reserved
        } else if second & 0x80 == 0 {
            Flaw::NotMasked
        } else if opcode >= CONTROL && (!fin || second & 0x7f > CONTROL_BYTES_MAX) {
            Flaw::Control
        } else {
            match (opcode, self.in_message) {
                (CONTINUATION, true) | (BINARY, false) | (CLOSE | PING | PONG, _) => return Ok(()),
                (TEXT, false) => Flaw::Text,
                (CONTINUATION, false) => Flaw::NothingToContinue,
                (TEXT | BINARY, true) => Flaw::MessageNotWhole,
                _ => Flaw::Opcode(opcode),
            }
        };
        Err(Misbehaved::WebSocket(flaw))
    }

    fn control(&mut self, opcode: u8) -> Piece<'static> {
        let payload = std::mem::take(&mut self.gathered);
        match opcode {
            PING => Piece::Ping(payload),
            PONG => Piece::Pong,
            _ => Piece::Close(match payload[..] {
                [high, low, ..] => Some(u16::from_be_bytes([high, low])),
                _ => None,
            }),
        }
    }
}

/// Takes at most `n` bytes off the front.
fn take<'a>(input: &mut &'a mut [u8], n: usize) -> &'a mut [u8] {
    let input_len = input.len();
    let (now, later) = std::mem::take(input).split_at_mut(n.min(input_len));
    *input = later;
    now
}

fn unmask(bytes: &mut [u8], payload: Payload) -> Payload {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte ^= payload.mask[(payload.phase + i) % 4];
    }
    let left = payload.left - bytes.len() as u64;
    Payload { left, phase: (payload.phase + bytes.len()) % 4, ..payload }
}

/// What is wrong with a client's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum Flaw {
    #[error("a frame with reserved bits set, and no extension was agreed upon")]
    Reserved,
    #[error("a frame that is not masked")]
    NotMasked,
    #[error("a control frame that is cut in parts, or longer than 125 bytes")]
    Control,
    #[error("a text message: media is binary")]
    Text,
    #[error("a frame that continues a message that was never begun")]
    NothingToContinue,
    #[error("a message begins before the last one is whole")]
    MessageNotWhole,
    #[error("a frame of the unknown kind {0}")]
    Opcode(u8),
    #[error("a frame of {0} bytes, the limit is {FRAME_BYTES_MAX}")]
    TooLong(u64),
}

impl Flaw {
    /// The code of the close frame that tells it (section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Flaw::Text => 1003,
            Flaw::TooLong(_) => 1009,
            _ => 1002,
        }
    }
}

/// Appends the header of a binary message of so many bytes, not masked.
pub fn write_binary_header(out: &mut Vec<u8>, bytes: usize) {
    let (header, len) = binary_header(bytes);
    out.extend_from_slice(&header[..len]);
}

/// The same, as an array and how much of it counts.
pub fn binary_header(bytes: usize) -> ([u8; BINARY_HEADER_BYTES_MAX], usize) {
    let mut header = [0; BINARY_HEADER_BYTES_MAX];
    header[0] = FIN | BINARY;
    if bytes < 126 {
        header[1] = bytes as u8;
        (header, 2)
    } else if let Ok(short) = u16::try_from(bytes) {
        header[1] = 126;
        header[2..4].copy_from_slice(&short.to_be_bytes());
        (header, 4)
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(bytes as u64).to_be_bytes());
        (header, 10)
    }
}

/// The answer to a ping.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    control(PONG, payload)
}

/// A close frame. The reason is cut where it would not fit, never within a character.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let room = usize::from(CONTROL_BYTES_MAX) - 2;
    let end = (0..=reason.len().min(room)).rev().find(|&i| reason.is_char_boundary(i));
    let reason = &reason[..end.unwrap_or(0)];
    control(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX.into())];
    [&[FIN | opcode, payload.len() as u8], payload].concat()
}

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// Opcodes from here on are control frames.
const CONTROL: u8 = 8;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const CONTROL_BYTES_MAX: u8 = 125;
/// Longest frame that is believed: nobody pushes a gigabyte in one message, and a client that cannot
/// be asked anything for so long is lost.
const FRAME_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the longest header without a mask.
pub const BINARY_HEADER_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client would send.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = vec![first];
        match payload.len() {
            n @ 0..126 => out.push(0x80 | n as u8),
            n @ 126..=0xffff => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(0x80 | 127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        out
    }

    /// Everything that comes of bytes fed in parts, data joined.
    fn read(bytes: &[u8], part: usize) -> Result<(Vec<u8>, Vec<String>), Misbehaved> {
        let (mut reader, mut data, mut rest) = (Reader::default(), Vec::new(), Vec::new());
        for part in bytes.chunks(part) {
            let mut part = part.to_vec();
            let mut input = part.as_mut_slice();
            while let Some(piece) = reader.next(&mut input)? {
                match piece {
                    Piece::Data(bytes) => data.extend_from_slice(bytes),
                    other => rest.push(format!("{other:?}")),
                }
            }
        }
        Ok((data, rest))
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let long: Vec<u8> = (0..70_000).map(|i| i as u8).collect();
        let bytes = [
            masked(0x82, b"one"),
            masked(0x02, &long[..200]),
            masked(0x89, b"there?"),
            masked(0x80, &long[200..]),
            masked(0x82, b""),
            masked(0x8a, b""),
            masked(0x82, b"last"),
            masked(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
        ]
        .concat();
        let want = [b"one", long.as_slice(), b"last"].concat();
        for part in [1, 2, 3, 7, 1000, bytes.len()] {
            let (data, rest) = read(&bytes, part).unwrap();
            assert!(data == want, "in parts of {part}");
            assert_eq!(rest, ["Ping([116, 104, 101, 114, 101, 63])", "Pong", "Close(Some(1000))"]);
        }
    }

    #[test]
    fn each_lie_is_called_by_its_name() {
        let mut huge = masked(0x82, b"");
        huge[1] = 0x80 | 127;
        huge.splice(2..2, u64::MAX.to_be_bytes());
        for (bytes, flaw, code) in [
            (vec![0x82, 3, 1, 2, 3], Flaw::NotMasked, 1002),
            (masked(0xc2, b"x"), Flaw::Reserved, 1002),
            (masked(0x81, b"hello"), Flaw::Text, 1003),
            (masked(0x80, b"x"), Flaw::NothingToContinue, 1002),
            ([masked(0x02, b"x"), masked(0x82, b"y")].concat(), Flaw::MessageNotWhole, 1002),
            (masked(0x09, b"x"), Flaw::Control, 1002),
            (masked(0x89, &[0; 126]), Flaw::Control, 1002),
            (masked(0x83, b"x"), Flaw::Opcode(3), 1002),
            (huge, Flaw::TooLong(u64::MAX), 1009),
        ] {
            for part in [1, bytes.len()] {
                let error = read(&bytes, part).unwrap_err();
                assert_eq!(error, Misbehaved::WebSocket(flaw), "in parts of {part}");
            }
            assert_eq!(flaw.close_code(), code);
        }
    }

    #[test]
    fn what_a_server_writes() {
        assert_eq!(binary_header(125), ([0x82, 125, 0, 0, 0, 0, 0, 0, 0, 0], 2));
        assert_eq!(binary_header(126), ([0x82, 126, 0, 126, 0, 0, 0, 0, 0, 0], 4));
        assert_eq!(binary_header(65_536), ([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 10));
        assert_eq!(pong(b"ab"), [0x8a, 2, b'a', b'b']);
        assert_eq!(close(1000, "bye"), [0x88, 5, 0x03, 0xe8, b'b', b'y', b'e']);
        let long = close(4403, &("a".to_owned() + &"直".repeat(99)));
        assert_eq!((long[1], long.len()), (2 + 121, 2 + 2 + 121), "no half of a character");
    }
}
